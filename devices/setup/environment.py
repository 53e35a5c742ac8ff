"""A new environment on a board, beside the one in use, that takes its place once it works."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib import resources
from typing import Annotated, Any, TypeVar, cast

from msgspec import Meta, Struct

from devices.session.answers import decode_answer, marked
from devices.transports.protocol import JOB_VARIABLE, Stream, Transport
from eamdeploy.base.errors import BoardBusy, BoardUnreachable, EamdeployError, MissingDependency

BASE = ".local/share/eamdeploy"
ENVIRONMENT_PYTHON = f"{BASE}/venv/bin/python"
_Path = Annotated[str, Meta(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
_SILENCE_S = 120.0
_BEATS_PER_SILENCE = 6
_ANSWER_S = 120.0
_CLOSE_S = 20.0
_INTERRUPTED_S = 1.0  # the keeper goes on by itself when its input has ended


class _EnvironmentBusy(Struct, tag_field="event", tag="busy"):
    """Somebody else sets the board up."""


class _Building(Struct, tag_field="event", tag="building"):
    """The empty environment is there."""

    python: _Path
    home: _Path
    scratch: _Path


class _Switched(Struct, tag_field="event", tag="switched"):
    """It took over."""

    python: _Path


_ANSWER: type[Any] = cast("type[Any]", _EnvironmentBusy | _Building | _Switched)
T = TypeVar("T", _Building, _Switched)


class FreshEnvironment:
    """An environment that is being built.

    Attributes:
        python: its Python, an absolute path on the board.
        home: the Python that it is an environment of, which may have pip.
        scratch: a folder for wheels and for pip's temporary files; gone once the environment took over.
    """

    def __init__(self, transport: Transport, stream: Stream, lines: AsyncIterator[str], answer: _Building) -> None:
        self._transport, self._stream, self._lines = transport, stream, lines
        self.python, self.home, self.scratch = answer.python, answer.home, answer.scratch

    async def take_over(self) -> str:
        """Put it in the place of the one in use, in one step; returns the Python's path there, which never changes."""
        await self._stream.send("switch")
        return (await _answer(self._transport, self._stream, self._lines, _Switched)).python


@contextlib.asynccontextmanager
async def fresh_environment(transport: Transport, home: str) -> AsyncIterator[FreshEnvironment]:
    """Make an empty environment; it is removed at the end, or when the link is lost, unless it took over.

    Raises:
        MissingDependency: nothing can be written in the home folder there.
        BoardBusy: somebody else sets the board up.
        BoardUnreachable: the link was lost.
        MeasurementError: the board's answer does not decode.
    """
    limit_s = _CLOSE_S
    source = resources.files("devices.setup").joinpath("keeper.py").read_text(encoding="utf-8")
    # without the job's marker: when the link drops, the board's lock kills what carries it, and this one has to clear up
    keeper = ["env", "-u", JOB_VARIABLE, *transport.python, "-c", source]
    stream = await transport.stream([*keeper, f"{home}/{BASE}", f"{_SILENCE_S:g}"])
    beating = asyncio.create_task(_beat(stream))
    try:
        lines = aiter(stream)
        answer = await _answer(transport, stream, lines, _Building)
        yield FreshEnvironment(transport, stream, lines, answer)
    except (asyncio.CancelledError, KeyboardInterrupt):
        limit_s = _INTERRUPTED_S
        raise
    finally:
        beating.cancel()
        await asyncio.shield(_end(stream, limit_s))


async def _answer(transport: Transport, stream: Stream, lines: AsyncIterator[str], kind: type[T]) -> T:
    try:
        async with asyncio.timeout(_ANSWER_S):
            async for line in lines:
                text = marked(line)
                message = None if text is None else decode_answer(_ANSWER, text, board=transport.name)
                if isinstance(message, _EnvironmentBusy):
                    raise BoardBusy(
                        "the board is being set up already", where=transport.name, hint="wait for it to end"
                    )
                if isinstance(message, kind):
                    return message
            await stream.wait()
    except TimeoutError as error:
        raise BoardUnreachable("the board does not answer", where=transport.name, why="Python did not start") from error
    last_line = (stream.stderr_tail.splitlines() or ["Python ended"])[-1]
    full = "No space left" in last_line
    hint = "free some space there (df -h, df -i)" if full else "the home folder must be writable there"
    raise MissingDependency(
        "no virtual environment could be made on the board", where=transport.name, why=last_line, hint=hint
    )


async def _beat(stream: Stream) -> None:
    with contextlib.suppress(EamdeployError):  # a lost link is reported by what waits for an answer
        while True:
            await asyncio.sleep(_SILENCE_S / _BEATS_PER_SILENCE)
            await stream.send("alive")


async def _end(stream: Stream, limit_s: float) -> None:
    with contextlib.suppress(EamdeployError, TimeoutError):
        async with asyncio.timeout(limit_s):
            await stream.wait()  # the end of its input: it removes what did not take over
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await stream.kill()
