"""A new environment on a board, beside the one in use, that takes its place once it works."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from importlib import resources
from typing import Any

from devices.runner import wire
from devices.transports.protocol import Stream, Transport
from eamdeploy.base.errors import BoardBusy, BoardUnreachable, EamdeployError, MissingDependency

BASE = ".local/share/eamdeploy"
ENVIRONMENT_PYTHON = f"{BASE}/venv/bin/python"
_SILENCE_S = 120.0
_BEATS_PER_SILENCE = 6
_ANSWER_S = 120.0
_CLOSE_S = 20.0


class FreshEnvironment:
    """An environment that is being built.

    Attributes:
        python: its Python, an absolute path on the board.
        home: the Python that it is an environment of, which may have pip.
        scratch: a folder for wheels and for pip's temporary files; gone once the environment took over.
    """

    def __init__(
        self, transport: Transport, stream: Stream, lines: AsyncIterator[str], answer: Mapping[str, Any]
    ) -> None:
        self._transport, self._stream, self._lines = transport, stream, lines
        self.python, self.home, self.scratch = (str(answer[name]) for name in ("python", "home", "scratch"))

    async def take_over(self) -> str:
        """Put it in the place of the one in use, in one step; returns the Python's path there, which never changes."""
        await self._stream.send("switch")
        return str((await _answer(self._transport, self._stream, self._lines, "switched"))["python"])


@contextlib.asynccontextmanager
async def fresh_environment(transport: Transport, home: str) -> AsyncIterator[FreshEnvironment]:
    """Make an empty environment; it is removed at the end, or when the link is lost, unless it took over.

    Raises:
        MissingDependency: nothing can be written in the home folder there.
        BoardBusy: somebody else sets the board up.
        BoardUnreachable: the link was lost.
    """
    source = resources.files("devices.setup").joinpath("keeper.py").read_text(encoding="utf-8")
    stream = await transport.stream([*transport.python, "-c", source, f"{home}/{BASE}", f"{_SILENCE_S:g}"])
    beating = asyncio.create_task(_beat(stream))
    try:
        lines = aiter(stream)
        answer = await _answer(transport, stream, lines, "building")
        yield FreshEnvironment(transport, stream, lines, answer)
    finally:
        beating.cancel()
        await asyncio.shield(_end(stream))


async def _answer(transport: Transport, stream: Stream, lines: AsyncIterator[str], event: str) -> dict[str, Any]:
    try:
        async with asyncio.timeout(_ANSWER_S):
            async for line in lines:
                message = wire.decode(line)
                if message is not None and message.get("event") == "busy":
                    raise BoardBusy(
                        "the board is being set up already", where=transport.name, hint="wait for it to end"
                    )
                if message is not None and message.get("event") == event:
                    return message
            await stream.wait()
    except TimeoutError as error:
        raise BoardUnreachable("the board does not answer", where=transport.name, why="Python did not start") from error
    said = (stream.stderr_tail.splitlines() or ["Python ended"])[-1]
    hint = "free some space there (df -h)" if "No space left" in said else "the home folder must be writable there"
    raise MissingDependency(
        "no virtual environment could be made on the board", where=transport.name, why=said, hint=hint
    )


async def _beat(stream: Stream) -> None:
    with contextlib.suppress(EamdeployError):  # a lost link is reported by what waits for an answer
        while True:
            await asyncio.sleep(_SILENCE_S / _BEATS_PER_SILENCE)
            await stream.send("alive")


async def _end(stream: Stream) -> None:
    with contextlib.suppress(EamdeployError, TimeoutError):
        async with asyncio.timeout(_CLOSE_S):
            await stream.wait()  # the end of its input: it removes what did not take over
    await stream.kill()
