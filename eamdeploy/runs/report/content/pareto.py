"""Which variants nothing beats: no other is both faster and more accurate."""

from __future__ import annotations

from collections.abc import Sequence

from eamdeploy.base.results import Run
from eamdeploy.runs.report.content import words


def pareto_front(runs: Sequence[Run]) -> list[Run]:
    """The Pareto frontier of accuracy against median latency, fastest first; invalid and incomplete runs are passed over."""
    candidates = sorted(
        (
            run
            for run in runs
            if run.latency_ms is not None and run.accuracy is not None and run.verdict.state != "invalid"
        ),
        key=lambda run: (_latency(run), -words.accuracy_figure(run)),
    )
    front: list[Run] = []
    for run in candidates:
        if not front or words.accuracy_figure(run) > words.accuracy_figure(front[-1]):
            front.append(run)
    return front


def _latency(run: Run) -> float:
    return run.latency_ms.p50 if run.latency_ms else float("inf")
