"""One request on many boards at once; each board works for itself, and results are stored as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from devices.session.fanout import BoardProgress, run_on_boards
from devices.transports.protocol import Transport
from eamdeploy.base.errors import EamdeployError
from eamdeploy.base.progress import SILENT, Progress, ProgressOf
from eamdeploy.base.results import Run
from eamdeploy.measurement.accuracy.pictures import Pictures
from eamdeploy.measurement.board_job import BenchOutcome, run_board
from eamdeploy.measurement.estimating import add_estimate
from eamdeploy.measurement.evidence.selfcheck import doubled, not_made, self_check
from eamdeploy.measurement.report import BenchReport, Failure
from eamdeploy.measurement.request import Request
from eamdeploy.measurement.targets import BenchTarget
from eamdeploy.runs.card import renew_cards
from eamdeploy.runs.store import Store
from eamdeploy.runs.store.provenance import commit_problem


def bench(
    request: Request,
    targets: Sequence[BenchTarget],
    *,
    store: Store | None = None,
    check_itself: bool = False,
    wait_s: float = 0.0,
    progress: Progress = SILENT,
) -> BenchReport:
    """Measure on all targets at once.

    Args:
        request: what.
        targets: where; a board that fails does not disturb the others.
        store: where each run is kept as soon as it is finished, also when the rest fails or is interrupted.
        check_itself: measure the one case against itself.
        wait_s: how long to wait for a board on which somebody else's job runs.
        progress: receives what each board is doing.

    Returns:
        Runs in the order of the targets, failures, and self-checks.

    Raises:
        StoreError: a run could not be stored.
        KeyboardInterrupt: finished runs are stored, and nothing is left on the boards.
    """
    measured_request = doubled(request) if check_itself else request
    stored: list[Run] = []
    try:
        outcomes = asyncio.run(
            _all(measured_request, targets, store=store, stored=stored, wait_s=wait_s, progress=progress)
        )
    except KeyboardInterrupt:
        progress.stage(_interrupted(stored, stored=store is not None), of="bench")
        raise
    checks, unmade = [], []
    if check_itself:
        for outcome in outcomes:
            check = self_check(outcome.target.name, outcome.runs)
            if check is not None:
                checks.append(check)
            elif not outcome.failures:
                unmade.append(not_made(outcome.target.name))
    finished = tuple(run for outcome in outcomes for run in outcome.runs)
    notes = _renewed(request, finished) if store is not None else ()
    if store is not None and finished and (problem := commit_problem()) is not None:
        notes = (*notes, problem)
    return BenchReport(
        runs=finished,
        failures=(*(failure for outcome in outcomes for failure in outcome.failures), *unmade),
        self_checks=tuple(checks),
        notes=(*(note for outcome in outcomes for note in outcome.notes), *notes),
    )


def _interrupted(runs: Sequence[Run], *, stored: bool) -> str:
    """What became of the runs, and how to go on."""
    again = "run the command again to measure the rest"
    if not runs:
        return f"nothing was finished yet; {again}"
    names = ", ".join(run.id for run in runs)
    if not stored:
        return f"finished but not stored: {names}; {again}"
    return f"kept in the store, see 'eamdeploy history': {names}; {again}"


def _renewed(request: Request, runs: Sequence[Run]) -> tuple[str, ...]:
    """Put the runs into the model cards beside their artifacts; a card that cannot be written is said, and costs no run."""
    try:
        renew_cards(dict.fromkeys(case.artifact for case in request.cases), runs)
    except EamdeployError as error:
        return (f"the model card was not renewed: {error}",)
    return ()


async def _all(
    request: Request,
    targets: Sequence[BenchTarget],
    *,
    store: Store | None,
    stored: list[Run],
    wait_s: float,
    progress: Progress,
) -> list[BenchOutcome]:
    def keep(run: Run) -> None:
        if store is not None:
            store.append(run)
        stored.append(run)

    return list(
        await asyncio.gather(
            *(_one(target, request, keep, wait_s, ProgressOf(progress, target.name)) for target in targets)
        )
    )


async def _one(
    target: BenchTarget, request: Request, keep: Callable[[Run], None], wait_s: float, progress: Progress
) -> BenchOutcome:
    outcome = BenchOutcome(target)
    pictures = Pictures(replace(request, progress=progress))
    emulated = target.kind == "emulated" and not target.instructions
    # whatever becomes of an emulated board: its time would mean nothing
    estimates = asyncio.create_task(_estimates(outcome, request, keep, needed=emulated or target.kind == "estimated"))
    # while it boots, which takes one core, this machine does its own part on another
    ahead = [asyncio.create_task(pictures.ahead())] if emulated else []

    async def job(transport: Transport) -> None:
        await estimates
        await run_board(transport, outcome, pictures, keep)

    def change(now: BoardProgress) -> None:
        if now.state != "running" or now.note:
            progress.stage(f"{now.state} {now.note}".strip())

    try:
        if target.open is None:
            return outcome
        transport = target.open(progress)
        done = await run_on_boards([transport], job, what="bench", lock=target.shared, wait_s=wait_s, on_change=change)
        outcome.failures.extend(Failure(target.name, None, each.error) for each in done if each.error is not None)
    except EamdeployError as error:
        outcome.failures.append(Failure(target.name, None, error))
    finally:
        await asyncio.shield(pictures.close())
        await asyncio.gather(estimates, *ahead)
    return outcome


async def _estimates(outcome: BenchOutcome, request: Request, keep: Callable[[Run], None], *, needed: bool) -> None:
    for case in request.cases if needed else ():
        await asyncio.to_thread(add_estimate, outcome, case, keep)
