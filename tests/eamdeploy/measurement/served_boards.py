"""SSH servers in a thread of their own, as other machines would be, and what to look for on them."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from pathlib import Path

from eamdeploy.measurement import BenchTarget
from tests.devices.board_server import BoardServer


class Boards:
    """Board servers in a thread and an event loop of their own, as other machines would be."""

    def __init__(self, folder: Path, count: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.servers = [self.call(BoardServer(folder / f"pi{number}").__aenter__()) for number in range(count)]

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def target(self, number, *, kind="measured"):
        server, name = self.servers[number], f"pi{number}"
        return BenchTarget(name, "pi4", name, kind, lambda _: server.transport(name, python=(sys.executable,)))

    def on_loop(self, function, *arguments):
        async def call():
            return function(*arguments)

        return self.call(call())

    def close(self):
        for server in self.servers:
            self.call(server.__aexit__())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


def left_over(server):
    return [path.name for path in server.tmp.iterdir() if path.name.startswith("eamdeploy.")]


def eventually(condition, timeout_s=15):
    end = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()
