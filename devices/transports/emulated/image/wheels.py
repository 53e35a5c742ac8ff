"""Installs wheels for another machine into a folder; pip needs no emulation for that.

``wheels.txt`` holds the versions that were tried, with the hashes of their files, so that an index cannot slip in another
file. Where a runtime is installed here in another version, all wheels are fetched as the index gives them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from devices.transports.emulated.tools import run_tool
from devices.wheel_tags import manylinux_platforms, require_pip
from eamdeploy.base.errors import MissingDependency
from eamdeploy.base.processes import python_module

HASHED = Path(__file__).with_name("wheels.txt")
_LINE = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+) --hash=sha256:[0-9a-f]{64}$")


def install_for_board(
    requirements: Sequence[str], target: Path, *, python_version: str, machine: str, glibc: tuple[int, int]
) -> None:
    """Unpack the wheels of ``requirements`` and of what they need into ``target``, by hash where hashes are known.

    Raises:
        MissingDependency: no wheel fits, one is not what it was, or the index cannot be reached.
    """
    if not requirements:
        return
    require_pip()
    argv = ["install", "--quiet", "--no-input", "--disable-pip-version-check", "--target", str(target)]
    argv += ["--no-compile", "--no-warn-conflicts", "--root-user-action=ignore"]
    argv += for_board(python_version, machine, glibc)
    doing = "installing the runtimes' wheels for the emulated board"
    if not unhashed(requirements):
        run_tool(python_module("pip", *argv, "--no-deps", "--require-hashes", "-r", str(HASHED)), doing=doing)
        return
    try:
        run_tool(python_module("pip", *argv, *requirements), doing=doing)
    except MissingDependency as error:
        unpinned = [requirement.split("==")[0] for requirement in requirements]
        if "No matching distribution" not in str(error) or unpinned == list(requirements):
            raise
        # this host's version may have no wheel for the board's Python: take the newest that has
        run_tool(python_module("pip", *argv, *unpinned), doing=doing)


def for_board(python_version: str, machine: str, glibc: tuple[int, int]) -> list[str]:
    """pip's options for a board's Python and C library."""
    options = ["--only-binary=:all:", "--implementation", "cp", "--python-version", python_version]
    for platform in manylinux_platforms(machine, glibc):
        options += ["--platform", platform]
    return options


def unhashed(requirements: Sequence[str]) -> list[str]:
    """Which of the requirements have no hash, because another version is wanted than those that were tried."""
    matches = [_LINE.match(line) for line in HASHED.read_text(encoding="utf-8").splitlines()]
    versions = {_normal(match["name"]): match["version"] for match in matches if match is not None}
    return [each for each in requirements if not _is_known(each, versions)]


def _is_known(requirement: str, versions: dict[str, str]) -> bool:
    name, pinned, version = requirement.partition("==")
    return _normal(name) in versions and (not pinned or versions[_normal(name)] == version)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
