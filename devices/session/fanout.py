"""The same job on many boards at once; one bad board does not spoil the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from devices.session.lock import board_lock
from devices.transports.protocol import Transport
from eamdeploy.base.errors import EamdeployError, InternalError

T = TypeVar("T")
State = Literal["connecting", "waiting", "running", "done", "failed"]


@dataclass(frozen=True)
class BoardProgress:
    """What a board is doing now.

    Attributes:
        board: its name.
        state: ``waiting`` is for the board's lock.
        note: a remark for people: an error, or a stale lock that was cleared.
    """

    board: str
    state: State
    note: str = ""


@dataclass(frozen=True)
class BoardOutcome(Generic[T]):
    """What came of a board: either a result or an error.

    Attributes:
        board: its name.
        result: what the job returned.
        error: why there is none.
        elapsed_s: from connecting to the end.
    """

    board: str
    result: T | None
    error: EamdeployError | None
    elapsed_s: float


async def run_on_boards(
    transports: Sequence[Transport],
    job: Callable[[Transport], Awaitable[T]],
    *,
    what: str,
    lock: bool = True,
    wait_s: float = 0.0,
    on_change: Callable[[BoardProgress], None] = lambda _: None,
    on_outcome: Callable[[BoardOutcome[T]], None] = lambda _: None,
) -> list[BoardOutcome[T]]:
    """Run ``job`` on every board concurrently, each under its lock, and close the transports.

    Args:
        transports: the boards; not yet connected.
        job: gets a connected board.
        what: what others are told that runs.
        lock: take each board's lock.
        wait_s: how long to wait for a busy board.
        on_change: called at every change.
        on_outcome: called for every board as soon as it is through, to keep results as they come.

    Returns:
        One outcome for each transport, in their order. Errors are in the outcomes; only cancellation is raised, after
        every board has been cleaned up.
    """

    async def one(transport: Transport) -> BoardOutcome[T]:
        started = time.monotonic()
        result: T | None = None
        error: EamdeployError | None = None
        try:
            result = await _one_board(transport, job, what=what, lock=lock, wait_s=wait_s, on_change=on_change)
        except EamdeployError as failure:
            error = failure
        except Exception as failure:  # a bug must not take the other boards' results with it
            error = InternalError("the job failed", where=transport.name, why=repr(failure))
            error.__cause__ = failure
        finally:
            await asyncio.shield(transport.close())
        outcome = BoardOutcome(transport.name, result, error, time.monotonic() - started)
        on_outcome(outcome)
        on_change(BoardProgress(transport.name, "failed" if error else "done", str(error or "")))
        return outcome

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(transport)) for transport in transports]
    return [task.result() for task in tasks]


async def _one_board(
    transport: Transport,
    job: Callable[[Transport], Awaitable[T]],
    *,
    what: str,
    lock: bool,
    wait_s: float,
    on_change: Callable[[BoardProgress], None],
) -> T:
    on_change(BoardProgress(transport.name, "connecting"))
    await transport.connect()
    if not lock:
        on_change(BoardProgress(transport.name, "running"))
        return await job(transport)
    on_change(BoardProgress(transport.name, "waiting"))
    async with board_lock(transport, job=what, wait_s=wait_s) as lease:
        note = f"cleared what '{lease.stale.job}' of {lease.stale.who} had left" if lease.stale else ""
        on_change(BoardProgress(transport.name, "running", note))
        return await job(transport)
