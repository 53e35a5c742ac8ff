"""Files that belong to others and are fetched through the ordinary package clients, once, into a cache folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

_MEMBERS = {
    "axe.min.js": ("npm", "axe-core@4.14.1", "package/axe.min.js"),
    "sarif.json": ("npm", "@microsoft/jest-sarif@1.0.0-beta.0", "package/lib/schemas/sarif-2.1.0-rtm.5.json"),
    "junit-10.xsd": ("pip", "pytest==9.2.0", "pytest-9.2.0/testing/example_scripts/junit-10.xsd"),
}


@pytest.fixture(scope="session")
def fetched() -> Callable[[str], Path]:
    """``fetched("axe.min.js")``: the file in the cache; the test is skipped, with the reason, when it cannot be had."""
    return _fetch


def _fetch(name: str) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eamdeploy-tests"
    client, package, member = _MEMBERS[name]
    target = cache / package.replace("/", "_") / name
    if target.exists():
        return target
    folder = target.parent / f"get-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    if client == "npm":
        if shutil.which("npm") is None:
            pytest.skip(f"npm is not installed, so {package} cannot be fetched")
        command = ["npm", "pack", package, "--silent"]
    else:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", package]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        pytest.skip(f"{package} cannot be fetched: {done.stderr.strip()[-200:]}")
    archive = next(path for path in folder.iterdir() if path.name.endswith(("gz", "tgz")))
    with tarfile.open(archive) as tar:
        content = tar.extractfile(member)
        assert content is not None, f"{package} has no {member}"
        (folder / name).write_bytes(content.read())
    (folder / name).replace(target)
    shutil.rmtree(folder)
    return target
