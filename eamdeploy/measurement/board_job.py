"""Everything that is done on one board, results handed out as they come; what fails does not take the rest with it."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from devices.session.run import BoardSession
from devices.transports.protocol import Transport
from eamdeploy.base.errors import BoardUnreachable, EamdeployError, MeasurementError
from eamdeploy.base.results import Run
from eamdeploy.measurement.accuracy.measure import run_on_device, score
from eamdeploy.measurement.accuracy.pictures import Pictures
from eamdeploy.measurement.assembling import CaseResult, assemble, new_id
from eamdeploy.measurement.measuring import MeasuredCase, measure_cases, timing_seconds
from eamdeploy.measurement.report import Failure
from eamdeploy.measurement.request import Request
from eamdeploy.measurement.targets import HOST, BenchTarget
from eamdeploy.measurement.work import BoardWork

_PUSHED = (
    "onnxruntime",
    "litert",
    "ncnn",
    "mnn",
)  # runtimes that the pushed runner brings; any other must be installed with us
_AT_ONCE_EMULATED = 2  # nothing is timed there, so two artifacts may share the machine
# so many inferences whose instructions differ by less are the network's, without what happens once or now and then
_STEADY, _AGREE = 3, 0.005
_MOST_COUNTED = 10
_OTHERS_S = 3.0  # about what starting a process and loading take, for what else is done with an artifact


@dataclass
class BenchOutcome:
    """Results of one board.

    Attributes:
        runs: those that are finished.
        failures: what gave no result.
        notes: what else the user should know.
        group: what its runs have in common: they were interleaved.
    """

    target: BenchTarget
    runs: list[Run] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    group: str = field(default_factory=new_id)


async def run_board(
    transport: Transport, outcome: BenchOutcome, pictures: Pictures, on_run: Callable[[Run], None]
) -> None:
    """Do all of a request on one board.

    Args:
        transport: the board, connected.
        outcome: filled in with every result and every failure, so that what is finished outlives a lost link.
        pictures: what to do, and the images to do it with.
        on_run: is handed each run.
    """
    target, request = outcome.target, pictures.request
    results = [CaseResult(case) for case in request.cases]
    facts: dict[str, str] = {}
    try:
        async with BoardSession(transport, installed=_needs_installed(target, request)) as session:
            facts = await session.facts()
            await _everything(session, pictures, results, outcome)
    except EamdeployError as error:
        outcome.failures.append(Failure(target.name, None, error))
    finally:
        # also on Ctrl-C and after a lost link: what is finished is kept
        for result in results:
            if result.anything:
                run = assemble(result, target, facts, outcome.group)
                outcome.runs.append(run)
                on_run(run)


async def _everything(
    session: BoardSession, pictures: Pictures, results: list[CaseResult], outcome: BenchOutcome
) -> None:
    target, request = outcome.target, pictures.request
    work = BoardWork(request.progress)
    timed, has_outputs = (
        request.latency and target.kind == "measured",
        request.accuracy is not False or target.kind == "emulated",
    )
    work.expect("timing", timing_seconds(request) if timed else 0.0)
    for case in request.cases:
        work.expect((case.artifact, case.title), _OTHERS_S if target.instructions or has_outputs else 0.0)
        work.expect(("profile", case.title), _OTHERS_S if request.profile else 0.0)
    if timed:
        measured = [MeasuredCase(case) for case in request.cases]
        for result, each in zip(results, measured, strict=True):
            result.measured = each
        await measure_cases(session, request, measured, work)
        for each in measured:
            if each.failure is not None:
                outcome.failures.append(Failure(target.name, each.case.title, each.failure))
    failed = {result.case for result in results if result.measured and result.measured.failure}
    remaining = [result for result in results if result.case not in failed]
    if target.instructions:
        await _each(remaining, outcome, 1, lambda result: _count(session, result, request, work))
    elif has_outputs:
        at_once = _AT_ONCE_EMULATED if target.kind == "emulated" else 1
        await _each(remaining, outcome, at_once, lambda result: _outputs(session, result, pictures, target, work))
    if request.profile:
        await _each(remaining, outcome, 1, lambda result: _profile(session, result, request, work))


async def _each(
    results: list[CaseResult], outcome: BenchOutcome, at_once: int, do: Callable[[CaseResult], Awaitable[None]]
) -> None:
    gate = asyncio.Semaphore(at_once)

    async def guarded(result: CaseResult) -> None:
        async with gate:
            try:
                await do(result)
            except BoardUnreachable:
                raise
            except EamdeployError as error:
                outcome.failures.append(Failure(outcome.target.name, result.case.title, error))

    tasks = [asyncio.create_task(guarded(result)) for result in results]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:  # those that wait for a board that is gone
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _outputs(
    session: BoardSession, result: CaseResult, pictures: Pictures, target: BenchTarget, work: BoardWork
) -> None:
    case, request = result.case, pictures.request
    images = await pictures.of(case)
    if images is None:
        if target.kind == "emulated":
            await _try(session, result, request)
        work.reach((case.artifact, case.title), 1.0)
        return
    for remark in images.remarks:
        request.progress.stage(f"{case.title}: {remark}")
    if (measured := result.measured) is not None and measured.summary is not None:
        work.expect((case.artifact, case.title), _OTHERS_S + len(images) * measured.summary.p50 / 1000)
    done = await run_on_device(
        session,
        case,
        images,
        progress=request.progress,
        reach=lambda share: work.reach((case.artifact, case.title), share),
    )
    reference = None
    if target.name != HOST:
        request.progress.stage(f"{case.title}: the same images on this machine")
        reference = await pictures.reference(case)
    result.accuracy = score(done.outputs, images, reference)
    result.load, result.resumed = done.load, done.resumed


async def _try(session: BoardSession, result: CaseResult, request: Request) -> None:
    """Without images: does it load and run there at all?"""
    case = result.case
    request.progress.stage(f"{case.title}: one inference")
    async with session.worker() as worker:
        result.load = await worker.load(await session.push(case.artifact), case.runtime, case.options)
        await worker.measure(batch=case.batch, seconds=0.0, min_samples=1, max_samples=1, warmup_seconds=0.0)
    result.has_run = True


async def _count(session: BoardSession, result: CaseResult, request: Request, work: BoardWork) -> None:
    """On a machine whose clock counts instructions, nanoseconds are instructions.

    An inference takes seconds there, and most need the same number of instructions. The first, which also prepares the runtime, is
    left out; one that the system or the runtime's memory took longer for is passed over. Counting ends with three that
    agree, in a row or not, and theirs is the median.

    Raises:
        MeasurementError: no three agree.
    """
    case = result.case
    request.progress.stage(f"{case.title}: loading")
    async with session.worker() as worker:
        result.load = await worker.load(await session.push(case.artifact), case.runtime, case.options)
        counts: list[int] = []
        for number in range(_MOST_COUNTED):
            counts.append(await worker.once(batch=case.batch))
            request.progress.stage(
                f"{case.title}: inference {number + 1}: {counts[-1] / 1e6:,.1f} million instructions"
            )
            # as a rule the first three after it agree
            work.reach((case.artifact, case.title), min((number + 1) / (_STEADY + 1), 1.0))
            steady = _steady_count(counts[1:])
            if steady is not None:
                result.instructions = steady
                return
    listed = ", ".join(f"{count / 1e6:,.1f}" for count in counts[1:])
    why = f"inferences took {listed} million, and no {_STEADY} agree to {_AGREE:.1%}"
    raise MeasurementError("the instructions of an inference cannot be told", where=case.title, why=why)


def _steady_count(counts: Sequence[int]) -> int | None:
    """The median of the fewest instructions that ``_STEADY`` inferences agree on; None where no so many do."""
    ordered = sorted(counts)
    for start in range(len(ordered) - _STEADY + 1):
        agreeing = ordered[start : start + _STEADY]
        if agreeing[-1] - agreeing[0] <= _AGREE * agreeing[0]:
            return round(statistics.median(agreeing))
    return None


async def _profile(session: BoardSession, result: CaseResult, request: Request, work: BoardWork) -> None:
    case = result.case
    request.progress.stage(f"{case.title}: profiling")
    async with session.worker() as worker:
        options = replace(case.options, profile=True)
        result.load = await worker.load(await session.push(case.artifact), case.runtime, options)
        result.operators = await worker.profile(request.profile, batch=case.batch)
    work.reach(("profile", case.title), 1.0)


def _needs_installed(target: BenchTarget, request: Request) -> bool:
    return target.name == HOST and any(case.runtime not in _PUSHED for case in request.cases)
