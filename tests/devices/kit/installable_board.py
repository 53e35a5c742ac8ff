"""A board over OpenSSH with an index of its own, so that ``devices setup`` works on it without a network."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devices.setup import Installed, set_up
from devices.setup.environment import ENVIRONMENT_PYTHON
from tests.devices.kit.sshd_board import SshdBoard

_SITE = sysconfig.get_paths()["purelib"]


def wheels(folder: Path, *, works: bool = True) -> Path:
    """An index without a network: packages that lead to what is installed beside the tests, or lead nowhere."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, version in (("numpy", "9.1"), ("onnxruntime", "9.2")):
        with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            info = f"{name}-{version}.dist-info"
            wheel.writestr(f"{name}-here.pth", f"{_SITE}\n" if works else "/nowhere\n")
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            wheel.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            wheel.writestr(f"{info}/RECORD", "")
    return folder


def installable_board(folder: Path, environment: Mapping[str, str] | None = None) -> SshdBoard:
    """The board; what is installed on it are links to what is installed beside the tests."""
    index = wheels(folder / "index")
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_NO_CACHE_DIR": "1", "OMP_NUM_THREADS": "1"}
    return SshdBoard(folder, environment={**settings, **(environment or {})}, files={".bashrc": "echo Welcome\n"})


async def set_up_there(board: SshdBoard, **options: Any) -> Installed:
    """``devices setup`` of onnxruntime from the board's own index."""
    transport = board.transport(python=(sys.executable,))
    try:
        return await set_up(transport, runtimes=["onnxruntime"], offline=False, **options)
    finally:
        await transport.close()


def works(board: SshdBoard) -> bool:
    """Whether the environment that is in use there can import what was installed."""
    python = board.home / ENVIRONMENT_PYTHON
    return subprocess.run([python, "-I", "-c", "import numpy, onnxruntime"], check=False).returncode == 0
