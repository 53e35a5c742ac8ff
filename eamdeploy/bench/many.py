"""One request on many boards at once; each board works for itself, and results are stored as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from eamdeploy.bench.board_job import Outcome, run_board
from eamdeploy.bench.report import Report
from eamdeploy.bench.request import Request
from eamdeploy.bench.selfcheck import doubled, self_check
from eamdeploy.bench.targets import Target
from eamdeploy.results import Run
from eamdeploy.store import Store

Told = Callable[[str, str], None]


def bench(
    request: Request,
    targets: Sequence[Target],
    *,
    store: Store | None = None,
    check_itself: bool = False,
    told: Told = lambda _board, _what: None,
) -> Report:
    """Measure on all targets at once.

    Args:
        request: what.
        targets: where; a board that fails does not disturb the others.
        store: where each run is kept as soon as it is finished, also when the rest fails or is interrupted.
        check_itself: measure the one case against itself.
        told: is told what each board is doing.

    Returns:
        Runs in the order of the targets, failures, and self-checks.

    Raises:
        StoreError: a run could not be stored.
        KeyboardInterrupt: finished runs are stored, and nothing is left on the boards.
    """
    wanted = doubled(request) if check_itself else request
    outcomes = asyncio.run(_all(wanted, targets, store, told))
    checks = []
    if check_itself:
        found = [self_check(outcome.target.name, outcome.runs) for outcome in outcomes]
        checks = [check for check in found if check is not None]
    return Report(
        runs=tuple(run for outcome in outcomes for run in outcome.runs),
        failures=tuple(failure for outcome in outcomes for failure in outcome.failures),
        self_checks=tuple(checks),
    )


async def _all(request: Request, targets: Sequence[Target], store: Store | None, told: Told) -> list[Outcome]:
    def keep(run: Run) -> None:
        if store is not None:
            store.append(run)

    async def one(target: Target) -> Outcome:
        mine = replace(request, told=lambda what: told(target.name, what))
        outcome = await run_board(target, mine, keep)
        told(target.name, "failed" if outcome.failures and not outcome.runs else "done")
        return outcome

    return list(await asyncio.gather(*(one(target) for target in targets)))
