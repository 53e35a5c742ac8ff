"""A board in memory that answers as a test asks: well, or with one thing wrong."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from devices.runner import inference
from devices.transports.lines import whole_lines
from devices.transports.protocol import CompletedCommand

MARK = "@eamdeploy "
READING = {"t_ns": 1, "wall_s": 1.0, "temperature_c": 50.0}
Change = Callable[[dict[str, Any]], Any]


def honest(message: dict[str, Any], outputs: int = 3) -> dict[str, Any] | None:
    """What a good board answers."""
    kind = message.get("op")
    answer: dict[str, Any] = {"event": "result", "id": message.get("id"), "worker": message.get("worker")}
    tensor = {"name": "x", "shape": [1, 3, 8, 8], "dtype": "float32"}
    if kind == "facts":
        return answer | {"facts": {"model": "a board", "kernel": "6"}}
    if kind == "conditions":
        return answer | {"conditions": dict(READING)}
    if kind == "load":
        return answer | {
            "version": "onnxruntime 1.32", "numpy": "2", "python": "3.11", "import_ms": 1.0, "load_ms": 1.0,
            "inputs": [tensor], "outputs": [tensor], "baseline_mb": 10.0,
        }  # fmt: skip
    if kind == "measure":
        count = int(message["limits"].get("min_samples", 10))
        samples = [1_000_000 + 10 * index for index in range(count)]
        starts = [2_000_000 * index for index in range(count)]
        timing = {
            "first_ns": 2_000_000, "warmup_ns": [1_000_000] * 10, "stable": True, "samples_ns": samples,
            "starts_ns": starts, "untimed": 1, "conditions": [dict(READING), dict(READING)],
        }  # fmt: skip
        return answer | {"timing": timing, "peak_mb": 20.0}
    if kind == "infer":
        pixels = np.frombuffer(base64.b64decode(message["pixels"]), np.uint8).reshape(message["images"])
        inputs = inference.normalize(pixels, message["scale"], message["shift"])
        scores = np.zeros((len(pixels), outputs), np.float32)
        return answer | {
            "outputs": base64.b64encode(scores.tobytes()).decode(), "shape": list(scores.shape),
            "input_sha256": hashlib.sha256(inputs.tobytes()).hexdigest(),
        }  # fmt: skip
    return None


class LyingStream:
    """The runner's side of the line, played by a function from a request to lines."""

    def __init__(self, answer: Callable[[dict[str, Any]], Iterator[str | bytes | float]]) -> None:
        self._answer = answer
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._talking: list[asyncio.Task[None]] = []
        self._ended = asyncio.Event()
        self.stderr_tail = ""
        self._say({"event": "ready", "pid": 1, "python": "3.11"})

    def _say(self, message: dict[str, Any]) -> None:
        self._lines.put_nowait((MARK + json.dumps(message) + "\n").encode())

    async def __aiter__(self):
        async def pieces():
            while (piece := await self._lines.get()) is not None:
                yield piece

        async for line in whole_lines(pieces(), board="liar"):
            yield line

    async def send(self, line: str) -> None:
        message = json.loads(line)
        if message["op"] == "exit":
            self._lines.put_nowait(None)
        elif message["op"] not in ("ping", "start", "stop"):
            self._talking.append(asyncio.create_task(self._reply(message)))

    async def _reply(self, message: dict[str, Any]) -> None:
        for part in self._answer(message):
            if isinstance(part, float):
                await asyncio.sleep(part)
            elif part == "hang up":
                self._lines.put_nowait(None)
            else:
                self._lines.put_nowait(part.encode() if isinstance(part, str) else part)

    async def wait(self) -> int:
        return 1

    async def kill(self) -> None:
        for task in self._talking:
            task.cancel()
        await asyncio.gather(*self._talking, return_exceptions=True)
        self._lines.put_nowait(None)


class LyingBoard:
    """A transport to it; ``work_root`` and pushed files exist in name only."""

    def __init__(self, answer: Callable[[dict[str, Any]], Iterator[str | bytes | float]]) -> None:
        self.name, self.python = "liar", ("python3", "-I")
        self._answer = answer
        self.removed: list[str] = []

    async def connect(self) -> None: ...

    async def close(self) -> None: ...

    async def workdir(self) -> str:
        return "/tmp/eamdeploy.liar"

    async def push(self, local: Path, remote: str) -> None: ...

    async def pull(self, remote: str, local: Path) -> None: ...

    async def remove(self, remote: str) -> None:
        self.removed.append(remote)

    async def run(self, argv, *, stdin=None, timeout_s=None) -> CompletedCommand:
        return CompletedCommand(0, b"", b"")

    async def stream(self, argv, *, env=None) -> LyingStream:
        return LyingStream(self._answer)


def line(message: object) -> str:
    return MARK + json.dumps(message) + "\n"


def one_lie(operation: str, change: Change) -> Callable[[dict[str, Any]], Iterator[str | bytes | float]]:
    """Good answers, but for one operation, whose answer ``change`` makes: a document, text, bytes, or a list of those."""

    def answer(message: dict[str, Any]) -> Iterator[str | bytes | float]:
        good = honest(message)
        if good is None:
            return
        if message["op"] != operation:
            yield line(good)
            return
        lie = change(good)
        for part in lie if isinstance(lie, list) else [lie]:
            yield line(part) if isinstance(part, dict) else part

    return answer
