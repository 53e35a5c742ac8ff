"""Time several cases on one board, interleaved, until each median is known well enough."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from devices.session.run import BoardSession
from eamdeploy.base.errors import BoardUnreachable, EamdeployError
from eamdeploy.measurement.evidence.statistics import Summary, summarize
from eamdeploy.measurement.request import BenchCase, Effort, Request
from eamdeploy.measurement.work import BoardWork

_MOST_BLOCKS = 24
_COOL_POLL_S = 2.0
_LEAST_SAMPLES = 10
_BLOCK_OVERHEAD_S = 2.0  # starting a process, loading, warming up


@dataclass
class MeasuredCase:
    """What is known of one case so far.

    Attributes:
        blocks: samples in milliseconds, one list a block.
        loads: the answers to loading, one a block.
        timings: the runner's `Timing`, one a block.
        peak_mb: peak resident memory, the highest of the blocks.
        summary: of the samples.
        cooled: whether each block began below the temperature asked for.
        failure: what ended this case; the others go on.
    """

    case: BenchCase
    blocks: list[list[float]] = field(default_factory=list)
    loads: list[dict[str, Any]] = field(default_factory=list)
    timings: list[dict[str, Any]] = field(default_factory=list)
    peak_mb: float | None = None
    summary: Summary | None = None
    cooled: bool = True
    failure: EamdeployError | None = None

    @property
    def seconds(self) -> float:
        """Time spent in samples."""
        return sum(map(sum, self.blocks)) / 1000


def round_order(count: int, number: int) -> list[int]:
    """ABBA: every second round runs backwards, so that a steady drift falls on all cases alike."""
    order = list(range(count))
    return order if number % 2 == 0 else order[::-1]


def timing_seconds(request: Request) -> float:
    """About how long the timing of all cases takes at least."""
    return len(request.cases) * request.effort.blocks * (request.effort.block_seconds + _BLOCK_OVERHEAD_S)


async def measure_cases(
    session: BoardSession, request: Request, results: Sequence[MeasuredCase], work: BoardWork | None = None
) -> None:
    """Time all cases of a request; a case that fails keeps its error, and the others are measured all the same.

    Args:
        session: the board.
        request: what to measure.
        results: one for each case, filled in as it goes, so that a lost link loses nothing that was measured.
        work: is told how much of it is done.

    Raises:
        BoardUnreachable: the link was lost.
    """
    work = work or BoardWork(request.progress)
    names = results[0].case.title if len(results) == 1 else f"{len(results)} artifacts in turns"
    request.progress.stage(f"timing {names}")
    for number in range(_MOST_BLOCKS):
        open_ones = [result for result in results if not _finished(result, request.effort)]
        if not open_ones:
            break
        if number == request.effort.blocks:
            goal = f"until each median is known to {request.effort.precision:.1%}, {request.effort.max_seconds:g} s at most"
            request.progress.stage(f"timing goes on {goal}")
        for index in round_order(len(results), number):
            result = results[index]
            # all go on while one needs more: blocks that are not interleaved could not be compared
            if result.failure is None and (result in open_ones or _may_go_on(result, request.effort)):
                await _one_block(session, result, request)
                shares = [_share(each, request.effort) for each in results]
                work.reach("timing", sum(shares) / len(shares))
    work.reach("timing", 1.0)


async def _one_block(session: BoardSession, result: MeasuredCase, request: Request) -> None:
    case, effort = result.case, request.effort
    result.cooled &= await _cool_down(session, effort)
    try:
        async with session.worker() as worker:
            remote = await session.push(case.artifact)
            load = await worker.load(remote, case.runtime, case.options)
            answer = await worker.measure(batch=case.batch, **_limits(effort))
    except EamdeployError as error:
        if isinstance(error, BoardUnreachable) or not session.alive:
            raise
        result.failure = error
        return
    timing = answer["timing"]
    result.loads.append(load)
    result.timings.append(timing)
    result.blocks.append([duration / 1e6 for duration in timing["samples_ns"]])
    peak = answer["peak_mb"]
    if peak is not None:
        result.peak_mb = max(peak, result.peak_mb or 0.0)
    if len(result.blocks) >= effort.blocks:
        # in a thread: other boards are being talked to meanwhile
        result.summary = await asyncio.to_thread(summarize, result.blocks)


def _limits(effort: Effort) -> dict[str, float]:
    if effort.runs is not None:
        samples = math.ceil(effort.runs / effort.blocks)
        return {"seconds": 0.0, "min_samples": samples, "max_samples": samples, "max_seconds": 3600.0}
    # a slow model still gets enough samples for a median in each block
    return {
        "seconds": effort.block_seconds,
        "min_samples": _LEAST_SAMPLES,
        "max_seconds": max(effort.block_seconds, effort.max_seconds),
    }


def _finished(result: MeasuredCase, effort: Effort) -> bool:
    if result.failure is not None:
        return True
    if len(result.blocks) < effort.blocks:
        return False
    if effort.runs is not None or result.seconds >= effort.max_seconds:
        return True
    return result.summary is not None and result.summary.relative_width <= effort.precision


def _share(result: MeasuredCase, effort: Effort) -> float:
    """How much of a case's timing is done: its interval narrows with the square root of the time."""
    if _finished(result, effort):
        return 1.0
    least = min(len(result.blocks) / effort.blocks, 1.0)
    if effort.runs is not None or result.summary is None:
        return least
    seconds = min(effort.max_seconds, result.seconds * (result.summary.relative_width / effort.precision) ** 2)
    return min(least, result.seconds / seconds) if seconds else least


def _may_go_on(result: MeasuredCase, effort: Effort) -> bool:
    return effort.runs is None and result.seconds < effort.max_seconds


async def _cool_down(session: BoardSession, effort: Effort) -> bool:
    """Wait until the board is cool enough; False when it did not get there. A board without a sensor doesn't wait."""
    if effort.cooldown_c is None:
        return True
    loop = asyncio.get_running_loop()
    end = loop.time() + effort.cooldown_seconds
    while True:
        temperature = (await session.conditions()).get("temperature_c")
        if temperature is None or temperature <= effort.cooldown_c:
            return True
        if loop.time() >= end:
            return False
        await asyncio.sleep(_COOL_POLL_S)
