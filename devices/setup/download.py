"""Fetches wheels on this machine for a board that reaches no index."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from devices.doctor import BoardFacts
from devices.wheel_tags import manylinux_platforms, musllinux_platforms, require_pip
from eamdeploy.base.errors import MissingDependency
from eamdeploy.base.processes import python_module, run

_TAIL_LINES = 3


def download_wheels(requirements: Sequence[str], facts: BoardFacts, folder: Path) -> list[Path]:
    """Download the wheels of ``requirements``, of what they need and of pip itself, for the board's tags.

    Raises:
        MissingDependency: no release fits the board, or the index cannot be reached from here.
    """
    if facts.glibc is not None:
        library, platforms = "glibc", manylinux_platforms(facts.machine or "", facts.glibc)
    elif facts.musl is not None:
        library, platforms = "musl", musllinux_platforms(facts.machine or "", facts.musl)
    else:
        raise MissingDependency("no wheels fit a board whose C library is not known", why=facts.libc)
    if facts.python is None or facts.machine is None:
        raise MissingDependency("no wheels fit a board without Python")
    require_pip()
    version = ".".join(map(str, facts.glibc or facts.musl or ()))
    argv = python_module("pip", "download", "--quiet", "--no-input", "--disable-pip-version-check")
    argv += ["--dest", str(folder), "--only-binary=:all:", "--implementation", "cp"]
    argv += ["--python-version", ".".join(map(str, facts.python.release))]
    for platform in platforms:
        argv += ["--platform", platform]
    done = run([*argv, "pip", *requirements])
    if done.returncode != 0:
        error_text = done.stderr.decode(errors="replace")
        errors = [line for line in error_text.splitlines() if line.startswith("ERROR")]
        raise MissingDependency(
            "no wheels could be fetched for the board",
            where=f"Python {facts.python.version}, {facts.machine}, {library} {version}",
            why=" / ".join(errors[-_TAIL_LINES:]) or error_text.strip(),
            hint="'eamdeploy devices check' says which releases fit",
        )
    return sorted(folder.glob("*.whl"))
