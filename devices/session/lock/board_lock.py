"""The host's side of a board's lock."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import platform
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from devices.runner import wire
from devices.session.errors import runner_ended
from devices.transports.protocol import Stream, Transport
from eamdeploy.base.errors import BoardBusy, BoardUnreachable, EamdeployError, MissingDependency

SILENCE_S = 60.0
_BEATS_PER_SILENCE = 6
_ANSWER_S = 60.0
_RETRY_S = 2.0


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
    def from_label(cls, label: object) -> Holder | None:
        """Read what a holder wrote about itself; None when nothing usable is there."""
        if not isinstance(label, Mapping):
            return None
        return cls(*(str(label.get(key, "unknown")) for key in ("who", "job", "since")))


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
    }
    stream, answer = await _take(transport, label, wait_s=wait_s, silence_s=silence_s)
    beating = asyncio.create_task(_beat(stream, silence_s / _BEATS_PER_SILENCE))
    previous = getattr(transport, "work_root", None)
    _set_work_root(transport, answer["root"])
    try:
        yield BoardLock(work_root=answer["root"], stale=Holder.from_label(answer["stale"]))
    finally:
        _set_work_root(transport, previous)
        beating.cancel()
        await asyncio.shield(_let_go(stream))


async def _take(
    transport: Transport, label: Mapping[str, str], *, wait_s: float, silence_s: float
) -> tuple[Stream, dict[str, Any]]:
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
        if answer["event"] == "held":
            return stream, answer
        await stream.kill()
        if loop.time() >= deadline:
            raise _busy(transport.name, Holder.from_label(answer.get("holder")))
        await asyncio.sleep(_RETRY_S)


async def _answer(transport: Transport, stream: Stream) -> dict[str, Any]:
    noise: list[str] = []
    async for line in stream:
        message = wire.decode(line)
        if message is not None and message.get("event") in ("held", "busy"):
            return message
        noise = [*noise[-4:], line]
    status = await stream.wait()
    said = stream.stderr_tail
    if "folder of the board" in said or "lock file cannot" in said:
        hint = "free some space, or make a folder writable for the login user"
        raise MissingDependency("no job can start on the board", where=transport.name, why=said, hint=hint)
    raise runner_ended(transport.name, status, said, noise)


async def _beat(stream: Stream, interval_s: float) -> None:
    with contextlib.suppress(EamdeployError):  # a lost link is the job's to report
        while True:
            await asyncio.sleep(interval_s)
            await stream.send("alive")


def _set_work_root(transport: Transport, root: str | None) -> None:
    # a transport without it makes its folders where it likes: they are then its user's to remove
    if hasattr(transport, "work_root"):
        transport.work_root = root


async def _let_go(stream: Stream) -> None:
    with contextlib.suppress(EamdeployError, TimeoutError):
        async with asyncio.timeout(10):
            await stream.wait()
    await stream.kill()


def _busy(name: str, holder: Holder | None) -> BoardBusy:
    who = f"{holder.who} has been running '{holder.job}' on it since {holder.since}" if holder else None
    return BoardBusy("the board is busy", where=name, why=who, hint="wait for it to end, or choose another board")
