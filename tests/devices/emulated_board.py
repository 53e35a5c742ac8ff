"""Fixtures around a running emulated board, shared by the tests that need a whole machine."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from devices.boards.profiles import load_profile
from devices.transports.emulated import EmulatedTransport
from devices.transports.ssh import SshTransport


def needs_qemu() -> None:
    for program, package in (("qemu-system-aarch64", "qemu-system-arm"), ("mmdebstrap", "mmdebstrap")):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (apt-get install {package})")


class RunningBoard:
    """An emulated board and the event loop that it lives in."""

    def __init__(self, profile: str, **options) -> None:
        self.runner = asyncio.Runner()
        self.transport = EmulatedTransport(load_profile(profile), **options)
        self.run(self.transport.connect())

    def run(self, coroutine):
        return self.runner.run(coroutine)

    def close(self) -> None:
        self.run(self.transport.close())
        self.runner.close()

    def login(self, user: str = "board", **options) -> SshTransport:
        """Another login; ``root`` may do to the board what its owner could."""
        changes = {key: options.pop(key) for key in ("host_key", "known_hosts", "port") if key in options}
        target = replace(self.transport.machine.target, user=user, **changes)
        return SshTransport("mypi", target, connect_timeout_s=120, **options)

    def as_root(self, script: str) -> str:
        async def do():
            root = self.login("root", silence_s=90)
            try:
                done = await root.run(["sh", "-c", script], timeout_s=120)
                assert done.ok, done.error_text
                return done.text
            finally:
                await root.close()

        return self.run(do())

    def processes(self, word: str) -> list[str]:
        """Processes on the board whose command line holds the word."""
        done = self.run(self.transport.run(["ps", "-eo", "args"]))
        return [line for line in done.text.splitlines() if word in line]

    def folders(self) -> list[str]:
        """What runs left in the temporary folder."""
        return [name for name in self.run(self.transport.run(["ls", "/tmp"])).text.split() if "eamdeploy" in name]


def model(folder: Path, **options) -> Path:
    from tests.runtimes import tiny_models

    path = folder / "my model.onnx"
    tiny_models.write_onnx(path, **options)
    return path
