"""The runs of one machine in the order in which one would ship them."""

from __future__ import annotations

from collections.abc import Sequence

from eamdeploy.base.results import Run
from eamdeploy.runs.report.content import words
from eamdeploy.runs.report.content.recommendation import ranked
from eamdeploy.runs.report.model import Cell, Names, ReportTable, table

_MOST = 12


def ranked_table(names: Names, place: str, runs: Sequence[Run]) -> ReportTable:
    """Rank, figures, and each run against the first; at most twelve rows, all runs are in a table of their own."""
    ordered = ranked(runs)
    first = ordered[0][1]
    rows = [_row(rank, run, first) for rank, run in ordered[:_MOST]]
    columns = (
        ">#", "artifact", ">median [interval]", ">top-1 [interval]", ">time", ">points", "runtime", ">size", ">RAM", "status",
    )  # fmt: skip
    rest = f"; the first {_MOST} of {len(ordered)}" if len(ordered) > _MOST else ""
    caption = f"Ranking on {place}: as accurate as the best first, then by latency; time and points are against the first{rest}"
    return table(names.unique(f"ranking {place}"), caption, columns, rows)


def _row(rank: str, run: Run, first: Run) -> list[Cell | str]:
    kind = words.latency_kind(run)
    # a measurement's verdict, or that it is none
    status = run.verdict.state if kind == "measured" or run.verdict.state == "invalid" else kind
    return [
        Cell(rank, float(rank.rstrip("=")) if rank != "–" else float("inf")),
        words.artifact(run),
        words.latency(run),
        words.accuracy(run),
        *_against(run, first),
        words.setting(run),
        Cell(words.size(run.bytes), run.bytes) if run.bytes else words.NOTHING,
        words.number(run.memory_mb, " MB"),
        Cell(status, badge=status),
    ]


def _against(run: Run, first: Run) -> tuple[Cell, Cell]:
    """How many times as long as the first, and how many points more accurate."""
    times = points = words.NOTHING
    if run is not first and run.latency_ms is not None and first.latency_ms is not None:
        ratio = run.latency_ms.p50 / first.latency_ms.p50
        times = Cell(f"{ratio:.2f}×" if ratio < 10 else f"{ratio:.0f}×", ratio)
    if run is not first and run.accuracy is not None and first.accuracy is not None:
        difference = run.accuracy.figure - first.accuracy.figure
        points = Cell(f"{difference:+.1f}".replace("-", "−"), difference)
    return times, points
