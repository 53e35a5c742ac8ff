"""Differences of latency as a forest plot: a point and its interval for each run, beside the line of no change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eamdeploy.base.results import Run
from eamdeploy.runs.compare import compare_runs
from eamdeploy.runs.report.content.words import artifact, distinct_ends, place, setting, shorten
from eamdeploy.runs.report.figures.axes import plain_log
from eamdeploy.runs.report.model import Figure
from eamdeploy.runs.report.render.svg import INK, MUTED, SERIES, draw_figure

_MOST = 14
_HALF_A_ROW = 0.5
# characters of a name beside its point
_LONGEST, _LONGEST_NARROW = 40, 20


def forest_figure(name: str, reference: Run, other_runs: Sequence[Run]) -> Figure | None:
    """The latency of ``other_runs`` as a multiple of ``reference``'s, with 95 % intervals; ``None`` where nothing is comparable."""
    changes = [(run, compare_runs(reference, run).change("latency_ms.p50")) for run in other_runs]
    rows = [(run, change) for run, change in changes if change is not None]
    rows = sorted(rows, key=lambda row: row[1].change)[:_MOST]
    if not rows:
        return None
    ratios = [(1 + change.low, 1 + change.change, 1 + change.high) for _, change in rows]
    height = 1.0 + 0.29 * len(rows)

    def draw(canvas: Any, narrow: bool) -> None:
        axes = canvas.add_subplot()
        axes.axvline(1.0, color=MUTED, lw=1.2, ls=(0, (4, 3)), zorder=1)
        for position, ((_, change), (low, middle, high)) in enumerate(zip(rows, ratios, strict=True)):
            colour = {"better": SERIES[2], "worse": SERIES[1]}.get(change.direction, MUTED)
            axes.plot([low, high], [position, position], color=colour, lw=2.4, solid_capstyle="round", zorder=2)
            axes.plot([middle], [position], "o", color=colour, ms=6.5, zorder=3)
        values = [value for ratio in ratios for value in ratio] + [1.0]
        axes.set_xscale("log")
        plain_log(axes.xaxis, min(values), max(values))
        ends = distinct_ends([artifact(run) for run, _ in rows])
        names = [shorten(end, _LONGEST_NARROW) for end in ends] if narrow else [artifact(run) for run, _ in rows]
        titles = [f"{shorten(n, _LONGEST)}{_setting(run, narrow)}" for n, (run, _) in zip(names, rows, strict=True)]
        axes.set_yticks(range(len(rows)), titles, fontsize=8.5)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.set_ylim(len(rows) - _HALF_A_ROW, -_HALF_A_ROW)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.06)
        axes.set_xlabel("times the reference's latency")

    described = (
        "Latency against "
        + artifact(reference)
        + ": "
        + "; ".join(f"{artifact(run)} {change.words}" for run, change in rows)
    )
    caption = (
        f"Median latency as a multiple of {artifact(reference)}'s ({setting(reference)}, {place(reference)}), measured in "
        "turns, with 95 % intervals. Left of the dashed line is faster; an interval that crosses it shows no difference."
    )
    return draw_figure(name, caption, described, draw, wide=height, narrow=height)


def _setting(run: Run, narrow: bool) -> str:
    """Runtime and threads, in every label; on a phone the threads."""
    return f" ×{run.threads}" if narrow else f", {setting(run)}"
