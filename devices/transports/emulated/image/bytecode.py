"""Compiles the board's Python files on the host: an emulated board would take seconds for it in every process."""

from __future__ import annotations

import sys
from pathlib import Path

from eamdeploy.base.processes import run, tool


def compile_for_board(root: Path, folders: list[str], *, python_version: str) -> bool:
    """Write byte code beside the Python files of ``folders`` in the tree ``root``.

    Byte code belongs to one version of Python; without that version on this host nothing is done, and the board works
    all the same, only slower.

    Returns:
        Whether it was done.
    """
    python = _matching_python(python_version)
    if python is None:
        return False
    argv = [python, "-I", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    argv += ["-s", str(root), "-p", "/"]
    # a file that does not compile (a template, a test of syntax errors) is nobody's problem until it is imported
    run([*argv, *(str(root / folder) for folder in folders)])
    return True


def _matching_python(version: str) -> str | None:
    if f"{sys.version_info.major}.{sys.version_info.minor}" == version:
        return sys.executable
    interpreter = tool(f"python{version}")
    return None if interpreter is None else interpreter[0]
