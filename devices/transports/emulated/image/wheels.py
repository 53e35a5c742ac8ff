"""Installs wheels for another machine into a folder; pip needs no emulation for that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from devices.transports.emulated.tools import run_tool
from devices.wheel_tags import manylinux_platforms, require_pip
from eamdeploy.base.errors import MissingDependency
from eamdeploy.base.processes import python_module


def install_for_board(
    requirements: Sequence[str], target: Path, *, python_version: str, machine: str, glibc: tuple[int, int]
) -> None:
    """Unpack the wheels of ``requirements`` and of what they need into ``target``.

    Raises:
        MissingDependency: no wheel fits, or the index cannot be reached.
    """
    require_pip()
    argv = python_module("pip", "install", "--quiet", "--no-input", "--disable-pip-version-check")
    argv += ["--target", str(target), "--only-binary=:all:", "--no-compile", "--implementation", "cp"]
    argv += ["--python-version", python_version, "--no-warn-conflicts", "--root-user-action=ignore"]
    for platform in manylinux_platforms(machine, glibc):
        argv += ["--platform", platform]
    doing = "installing the runtimes' wheels for the emulated board"
    try:
        run_tool([*argv, *requirements], doing=doing)
    except MissingDependency as error:
        unpinned = [requirement.split("==")[0] for requirement in requirements]
        if "No matching distribution" not in str(error) or unpinned == list(requirements):
            raise
        # this host's version may have no wheel for the board's Python: take the newest that has
        run_tool([*argv, *unpinned], doing=doing)
