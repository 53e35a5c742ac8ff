"""Renews the hashes of the emulated board's wheels: what pip would install there today, in the versions installed here.

The file holds names, versions and hashes, and no address of any index.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from devices.transports.emulated.image.recipe import ImageRecipe
from devices.transports.emulated.image.wheels import HASHED, for_board

HEAD = "# The wheels of the emulated board (Python 3.11, aarch64) by hash; `make board-wheels` renews them.\n"


def main() -> None:
    """Ask pip, and write the file."""
    recipe = ImageRecipe()
    with tempfile.TemporaryDirectory(prefix="eamdeploy-") as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--report", str(report), "--target", folder]
        command += [*for_board(recipe.python_version, "aarch64", recipe.glibc), *recipe.requirements]
        subprocess.run(command, check=True)
        installs = json.loads(report.read_text())["install"]
    lines = []
    for each in installs:
        wheel_metadata, digest = each["metadata"], each["download_info"]["archive_info"]["hashes"]["sha256"]
        lines.append(f"{wheel_metadata['name']}=={wheel_metadata['version']} --hash=sha256:{digest}")
    HASHED.write_text(HEAD + "\n".join(sorted(lines, key=str.lower)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
