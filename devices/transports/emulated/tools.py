"""The programs that building and booting need."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from eamdeploy.base import processes
from eamdeploy.base.errors import MissingDependency

QEMU = "qemu-system-aarch64"
_PACKAGES = {
    QEMU: "qemu-system-arm",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "setpriv": "util-linux",
}
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SBIN = "/usr/sbin:/sbin"  # not on an ordinary user's PATH in Debian
_LINES = 2


def tool(name: str) -> str:
    """The path of a program.

    Raises:
        MissingDependency: with every package that is missing here, so that one installation is enough.
    """
    location = _which(name)
    if location is None:
        missing = sorted({package for program, package in _PACKAGES.items() if _which(program) is None})
        raise MissingDependency(
            "an emulated board cannot run here",
            why=f"'{name}' is not installed",
            hint=f"install it with: sudo apt-get install {' '.join(missing)}; or measure on a real board with `board`",
        )
    return location


def check_build_tools() -> None:
    """Raise `MissingDependency` unless everything that building an image needs is here."""
    for name in _PACKAGES:
        tool(name)
    if not _KEYRING.is_file():
        raise MissingDependency(
            "the emulated board's system cannot be checked",
            why="Debian's archive keys are not installed",
            hint="install them with: sudo apt-get install debian-archive-keyring",
        )


def keyring() -> Path:
    """Debian's archive keys."""
    return _KEYRING


def run_tool(argv: Sequence[str], *, doing: str, env: dict[str, str] | None = None, stdin: str | None = None) -> str:
    """Run a program to its end and return what it wrote.

    Raises:
        MissingDependency: it failed; the message carries its last lines.
    """
    result = processes.run(argv, stdin=None if stdin is None else stdin.encode(), env=env)
    stdout, stderr = (text.decode(errors="replace") for text in (result.stdout, result.stderr))
    if result.returncode != 0:
        output_lines = [line for line in (stderr + stdout).splitlines() if line.strip()]
        # the first error names the cause; without any, the end of what was said is the best there is
        errors = [line for line in output_lines if line.startswith(("E:", "ERROR", "mke2fs:"))][
            :_LINES
        ] or output_lines[-_LINES:]
        raise MissingDependency(
            f"{doing} failed", where=Path(argv[0]).name, why=" / ".join(errors) or "it said nothing"
        )
    return stdout


def _which(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=_SBIN)
