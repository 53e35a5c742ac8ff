"""A folder such as somebody may have unpacked: files with the names of libraries, which tell when they are run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

NAMES = ("numpy", "json", "onnxsim", "devices", "onnxruntime", "msgspec", "typing", "rich", "runtimes", "sitecustomize")
PACKAGES = ("pip", "torch", "eamdeploy", "export", "PIL")
_DECOY = """
import os
with open(os.environ["EAMDEPLOY_DECOYS"], "a") as file:
    file.write({name!r} + "\\n")
raise SystemExit(99)
"""


def decoy_folder(folder: Path, monkeypatch: pytest.MonkeyPatch, *, without: Sequence[str] = ()) -> Path:
    """Make it, and make it the current folder."""
    folder.mkdir(parents=True)
    for name in set(NAMES) - set(without):
        (folder / f"{name}.py").write_text(_DECOY.format(name=name))
    for name in set(PACKAGES) - set(without):
        (folder / name).mkdir()
        for file in ("__init__", "__main__"):
            (folder / name / f"{file}.py").write_text(_DECOY.format(name=name))
    monkeypatch.setenv("EAMDEPLOY_DECOYS", str(folder / "executed.txt"))
    monkeypatch.chdir(folder)
    return folder


def executed(folder: Path) -> list[str]:
    """Which of them ran."""
    log = folder / "executed.txt"
    return log.read_text().split() if log.exists() else []
