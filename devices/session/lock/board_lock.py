"""The host's side of a board's lock."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import platform
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from devices.runner.wire import MARK
from devices.session.errors import runner_ended
from devices.transports.protocol import Stream, Transport
from eamdeploy.base.errors import BoardBusy, BoardUnreachable, EamdeployError, MeasurementError, MissingDependency

SILENCE_S = 60.0
_BEATS_PER_SILENCE = 6
_ANSWER_S = 60.0
_RETRY_S = 2.0
_LET_GO_S = 10.0
_INTERRUPTED_S = 1.5
_TEXT_CHARACTERS = 200
_Text = Annotated[str, Meta(max_length=1024)]
_Folder = Annotated[str, Meta(max_length=1024, pattern=r"^/[^\x00-\x1f\x7f]*/eamdeploy\.[A-Za-z0-9_]+\Z")]


class _Label(Struct):
    who: _Text = "unknown"
    job: _Text = "unknown"
    since: _Text = "unknown"


class _Held(Struct, tag_field="event", tag="held"):
    root: _Folder
    stale: _Label | None = None


class _Busy(Struct, tag_field="event", tag="busy"):
    holder: _Label | None = None


_ANSWER: msgspec.json.Decoder[_Held | _Busy] = msgspec.json.Decoder(_Held | _Busy)


@dataclass(frozen=True)
class Holder:
    """Who holds, or held, a lock.

    Attributes:
        who: ``user@machine`` that started the job.
        job: what runs.
        since: when it started, ISO 8601.
    """

    who: str
    job: str
    since: str

    @classmethod
    def from_label(cls, label: _Label | None) -> Holder | None:
        """What a holder wrote about itself, cut to a readable length; None when nothing usable is there."""
        if label is None:
            return None
        return cls(*(text[:_TEXT_CHARACTERS] for text in (label.who, label.job, label.since)))


@dataclass(frozen=True)
class BoardLock:
    """A lock that is held.

    Attributes:
        work_root: the job's folder on the board, removed with everything in it when the lock ends, however it ends.
        stale: the job that had held the lock and was killed without letting it go, if there was one.
    """

    work_root: str
    stale: Holder | None


@contextlib.asynccontextmanager
async def board_lock(
    transport: Transport, *, job: str, wait_s: float = 0.0, silence_s: float = SILENCE_S
) -> AsyncIterator[BoardLock]:
    """Hold the board's lock; meanwhile the transport makes its working folders inside the job's own.

    Args:
        transport: a connected board.
        job: what others are told that runs.
        wait_s: how long to wait for a board that is busy.
        silence_s: the board lets go when it has heard nothing from here for so long.

    Raises:
        BoardBusy: somebody else holds it.
        BoardUnreachable: the link was lost.
        MissingDependency: no Python, or no folder can be written.
    """
    label = {
        "who": f"{getpass.getuser()}@{platform.node()}",
        "job": job,
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "marker": secrets.token_hex(16),
    }
    stream, answer = await _take(transport, label, wait_s=wait_s, silence_s=silence_s)
    beating = asyncio.create_task(_beat(stream, silence_s / _BEATS_PER_SILENCE))
    previous = getattr(transport, "work_root", None), getattr(transport, "job", None)
    _set_job(transport, answer.root, label["marker"])
    limit_s = _LET_GO_S
    try:
        yield BoardLock(work_root=answer.root, stale=Holder.from_label(answer.stale))
    except (asyncio.CancelledError, KeyboardInterrupt):
        limit_s = _INTERRUPTED_S
        raise
    finally:
        _set_job(transport, *previous)
        beating.cancel()
        await asyncio.shield(_let_go(stream, limit_s))


async def _take(
    transport: Transport, label: Mapping[str, str], *, wait_s: float, silence_s: float
) -> tuple[Stream, _Held]:
    source = resources.files("devices.session.lock").joinpath("holder.py").read_text(encoding="utf-8")
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    while True:
        stream = await transport.stream([*transport.python, "-c", source, json.dumps(label), f"{silence_s:g}"])
        try:
            async with asyncio.timeout(_ANSWER_S):
                answer = await _answer(transport, stream)
        except TimeoutError as error:
            await stream.kill()
            raise BoardUnreachable(
                "the board does not answer", where=transport.name, why="Python did not start"
            ) from error
        except BaseException:
            await stream.kill()
            raise
        if isinstance(answer, _Held):
            return stream, answer
        await stream.kill()
        if loop.time() >= deadline:
            raise _busy(transport.name, Holder.from_label(answer.holder))
        await asyncio.sleep(_RETRY_S)


async def _answer(transport: Transport, stream: Stream) -> _Held | _Busy:
    noise: list[str] = []
    async for line in stream:
        at = line.find(MARK)
        if at < 0:
            noise = [*noise[-4:], line[:_TEXT_CHARACTERS]]
            continue
        try:
            return _ANSWER.decode(line[at + len(MARK) :])
        except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError) as error:
            what = "the board's answer about its lock cannot be used"
            raise MeasurementError(what, where=transport.name, why=error) from error
    status = await stream.wait()
    error_text = stream.stderr_tail
    if "folder of the board" in error_text or "lock file cannot" in error_text:
        hint = "free some space, or make a folder writable for the login user"
        raise MissingDependency("no job can start on the board", where=transport.name, why=error_text, hint=hint)
    raise runner_ended(transport.name, status, error_text, noise)


async def _beat(stream: Stream, interval_s: float) -> None:
    with contextlib.suppress(EamdeployError):  # a lost link is the job's to report
        while True:
            await asyncio.sleep(interval_s)
            await stream.send("alive")


def _set_job(transport: Transport, root: str | None, marker: str | None) -> None:
    # a transport without it makes its folders where it likes: they are then its user's to remove
    if hasattr(transport, "work_root"):
        transport.work_root = root
    if hasattr(transport, "job"):
        transport.job = marker


async def _let_go(stream: Stream, limit_s: float) -> None:
    with contextlib.suppress(EamdeployError, TimeoutError):
        async with asyncio.timeout(limit_s):
            await stream.wait()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await stream.kill()


def _busy(name: str, holder: Holder | None) -> BoardBusy:
    who = f"{holder.who} has been running '{holder.job}' on it since {holder.since}" if holder else None
    return BoardBusy("the board is busy", where=name, why=who, hint="wait for it to end, or choose another board")
