"""Renews .ci/constraints.txt: the newest versions that pyproject.toml allows, for every supported Python.

The file holds names, versions and markers, and no address of any index.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from set_up import CONSTRAINTS, ROOT, pip_settings, uv_settings

HEAD = "# Exact versions for the set-up; `make constraints` renews them from pyproject.toml.\n"


def main() -> None:
    """Resolve for all supported versions of Python and write the file."""
    options, environment = uv_settings(pip_settings(sys.executable))
    command = [
        str(Path(sys.executable).with_name("uv")), "pip", "compile", "--quiet", "--universal", "--python-version", "3.11",
        "--extra", "all", "--group", "dev", "--no-header", "--no-annotate", "--no-emit-package", "eamdeploy",
        *options, str(ROOT / "pyproject.toml"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)
    if done.returncode:
        sys.exit(f"constraints: {done.stderr.strip()}")
    lines = [line for line in done.stdout.splitlines() if re.match(r"^[A-Za-z0-9]", line)]
    # a build's local version is no release of its own: one line serves every machine
    lines = [re.sub(r"^torch==([\d.]+).*", r"torch==\1", line) for line in lines]
    CONSTRAINTS.write_text(HEAD + "\n".join(dict.fromkeys(lines)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
