"""Fetches wheels on this machine for a board that reaches no index."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from devices.doctor import BoardFacts
from devices.wheel_tags import manylinux_platforms
from eamdeploy.base.errors import MissingDependency

_TAIL_LINES = 3


def download_wheels(requirements: Sequence[str], facts: BoardFacts, folder: Path) -> list[Path]:
    """Download the wheels of ``requirements``, of what they need and of pip itself, for the board's tags.

    Raises:
        MissingDependency: no release fits the board, or the index cannot be reached from here.
    """
    if facts.python is None or facts.glibc is None or facts.machine is None:
        raise MissingDependency("no wheels fit a board without Python and the GNU C library")
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    argv += ["--dest", str(folder), "--only-binary=:all:", "--implementation", "cp"]
    argv += ["--python-version", ".".join(map(str, facts.python.release))]
    for platform in manylinux_platforms(facts.machine, facts.glibc):
        argv += ["--platform", platform]
    done = subprocess.run([*argv, "pip", *requirements], capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise MissingDependency(
            "no wheels could be fetched for the board",
            where=f"Python {facts.python.version}, {facts.machine}, glibc {'.'.join(map(str, facts.glibc))}",
            why=" / ".join(errors[-_TAIL_LINES:]) or done.stderr.strip(),
            hint="'eamdeploy devices check' says which releases fit",
        )
    return sorted(folder.glob("*.whl"))
