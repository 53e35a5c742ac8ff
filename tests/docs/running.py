"""Runs the pages' blocks, and the board at the address that they use."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.docs.pages import FencedBlock

ADDRESS = "192.0.2.7"
# 5 says that this machine is too busy for a valid number, which is no fault of a page's; "# exit code 4" is a page's promise
_SHELL = """
eamdeploy() { local code=0; command eamdeploy "$@" || code=$?; test $code = 5 && code=0; return $code; }
expect() { local code=0 wanted=$1; shift; command "$@" || code=$?; test $code = $wanted -o $code = 5; }
"""


def run_blocks(code_blocks: list[FencedBlock], folder: Path, **settings: str) -> None:
    """Run blocks in order, in one folder; the first that fails ends it."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    state = {
        "PATH": path,
        "EAMDEPLOY_STORE": "runs.db",
        "EAMDEPLOY_BOARDS": str(folder / "boards.toml"),
        "COLUMNS": "120",
    }
    for block in code_blocks:
        words = [sys.executable, "-c", block.text]
        if block.language == "bash":
            words = [bash, "-euo", "pipefail", "-c", _SHELL + _promises(block.text)]
        done = subprocess.run(
            words, cwd=folder, capture_output=True, text=True, env=os.environ | state | settings, timeout=1500
        )
        assert done.returncode == 0, f"{block.text}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"


def _promises(text: str) -> str:
    return re.sub(r"^(.*?) *# exit code (\d+).*$", r"expect \2 \1", text, flags=re.MULTILINE)


class DocsBoard:
    """A board server on a thread of its own, and a home folder whose SSH configuration leads to it."""

    def __init__(self, folder: Path) -> None:
        from tests.devices.board_server import BoardServer

        self.home = folder / "home"
        self.server = BoardServer(folder / "board")
        # its Python is the one with the runtimes, as on a board that was set up
        self.server.environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.wait(self.server.__aenter__())
        ssh = self.home / ".ssh"
        ssh.mkdir(parents=True)
        shutil.copy(self.server.known_hosts, ssh / "known_hosts")
        settings = {"HostName": "127.0.0.1", "Port": self.server.port, "IdentityFile": self.server.identity}
        (ssh / "config").write_text(
            "\n".join([f"Host {ADDRESS}", *(f"  {key} {value}" for key, value in settings.items())])
        )

    @property
    def settings(self) -> dict[str, str]:
        """The environment of someone who can reach the board and has read its fingerprint."""
        return {"HOME": str(self.home), "FINGERPRINT": self.server.host_key.get_fingerprint()}

    def wait(self, coroutine) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def close(self) -> None:
        self.wait(self.server.__aexit__(None, None, None))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()
