"""Accuracy against latency, uncertainty on both, the file's size as the marker's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eamdeploy.base.results import Run
from eamdeploy.runs.report.content.pareto import pareto_front
from eamdeploy.runs.report.content.words import (
    accuracy_interval,
    artifact,
    distinct_ends,
    figure,
    latency_interval,
    latency_kind,
    shorten,
    size,
)
from eamdeploy.runs.report.figures.axes import plain_log
from eamdeploy.runs.report.figures.labels import draw_labels
from eamdeploy.runs.report.model import Figure
from eamdeploy.runs.report.render.svg import CARD, INK, MUTED, SERIES, draw_figure

_PRECISIONS = {"fp32": SERIES[0], "fp16": SERIES[2], "int8": SERIES[1]}
_MARKERS = {"measured": "o", "emulated": "s", "estimated": "D"}
_LABELS = 14
_LONGEST = 28


def pareto_figure(name: str, place: str, runs: Sequence[Run]) -> Figure | None:
    """The runs of one place that have both figures; ``None`` where there are fewer than two."""
    runs_shown = [run for run in runs if run.latency_ms is not None and run.accuracy is not None]
    if len(runs_shown) < 2:
        return None
    front = pareto_front(runs_shown)

    def draw(canvas: Any, narrow: bool) -> None:
        axes = canvas.add_subplot()
        widest = max(run.bytes for run in runs_shown) or 1
        for run in sorted(runs_shown, key=lambda run: -run.bytes):  # the smaller ones in front
            _point(axes, run, widest)
        _front(axes, front)
        axes.set_xlabel("median latency, ms")
        axes.set_ylabel(f"{runs_shown[0].accuracy.title if runs_shown[0].accuracy else 'top-1'}, %")
        values = [run.latency_ms.p50 for run in runs_shown if run.latency_ms]
        if max(values) > 6 * min(values):
            axes.set_xscale("log")
            plain_log(axes.xaxis, min(values), max(values))
        axes.margins(x=0.16 if not narrow else 0.22, y=0.16)
        axes.autoscale_view()
        ordered = [*front, *(run for run in runs_shown if run not in front)]
        texts = _texts(ordered)
        count = min(_LABELS, (len(front) or len(ordered)) if narrow else len(ordered))
        points = [(_p50(run), _accuracy(run)) for run in ordered[:count]]
        colours = [INK if run in front else MUTED for run in ordered[:count]]
        draw_labels(axes, points, texts[:count], colours)
        handles = _legend(runs_shown)
        canvas.legend(handles=handles, loc="outside lower center", ncols=2 if narrow else len(handles))

    names = ", ".join(f"{artifact(run)} ({figure(_p50(run))} ms, {_accuracy(run):.1f} %)" for run in front)
    described = f"Scatter plot of {len(runs_shown)} variants on {place}. Pareto frontier: {names or 'no valid run'}."
    caption = (
        f"Accuracy against latency on {place}. Bars: intervals of both; area: file size; dashed line: Pareto frontier."
    )
    return draw_figure(name, caption, described, draw, wide=4.2, narrow=4.4)


def _texts(runs: Sequence[Run]) -> list[str]:
    """What tells the runs apart: the end of the file's name, threads, and the runtime where one format had several."""
    runtimes: dict[str, set[str]] = {}
    for run in runs:
        runtimes.setdefault(run.format, set()).add(run.runtime)
    ends = distinct_ends(list(dict.fromkeys(artifact(run) for run in runs)))
    short = dict(zip(dict.fromkeys(artifact(run) for run in runs), ends, strict=True))
    return [
        shorten(short[artifact(run)], _LONGEST)
        + (f", {run.runtime}" if len(runtimes[run.format]) > 1 else "")
        + f" ×{run.threads}"
        for run in runs
    ]


def _point(axes: Any, run: Run, widest: int) -> None:
    colour = _PRECISIONS.get(run.precision, SERIES[3])
    estimated = latency_kind(run) != "measured"
    x, y = _p50(run), _accuracy(run)
    low_x, high_x = latency_interval(run) or (x, x)
    low_y, high_y = accuracy_interval(run) or (y, y)
    axes.errorbar(
        x,
        y,
        xerr=[[max(0.0, x - low_x)], [max(0.0, high_x - x)]],
        yerr=[[max(0.0, y - low_y)], [max(0.0, high_y - y)]],
        fmt="none",
        ecolor=colour,
        elinewidth=1.2,
        capsize=0,
        alpha=0.55,
        zorder=2,
    )
    # area in proportion to the file, never so small that it cannot be seen
    area = 30 + 220 * run.bytes / widest
    face = CARD if estimated else colour
    axes.scatter(
        [x],
        [y],
        s=area,
        marker=_MARKERS[latency_kind(run)],
        facecolor=face,
        edgecolor=CARD if face == colour else colour,
        linewidth=1.2,
        zorder=3,
    )


def _front(axes: Any, front: Sequence[Run]) -> None:
    if len(front) > 1:
        axes.step(
            [_p50(r) for r in front], [_accuracy(r) for r in front], where="post", color=MUTED, lw=1.2, ls=(0, (4, 3))
        )


def _legend(runs_shown: Sequence[Run]) -> list[Any]:
    from matplotlib.lines import Line2D

    precisions = {run.precision for run in runs_shown}
    kinds = {latency_kind(run) for run in runs_shown}
    handles = [
        Line2D([], [], ls="", marker="o", color=_PRECISIONS.get(name, SERIES[3]), label=name or "precision unknown")
        for name in sorted(precisions)
    ]
    sizes = sorted({min(run.bytes for run in runs_shown), max(run.bytes for run in runs_shown)})
    for kind in (kind for kind in _MARKERS if kind in kinds):
        face = MUTED if kind == "measured" else CARD
        handles.append(Line2D([], [], ls="", marker=_MARKERS[kind], mfc=face, mec=MUTED, label=kind))
    if len(sizes) == 2 and sizes[0]:
        handles.append(Line2D([], [], ls="", marker="", label=f"area: {size(sizes[0])} to {size(sizes[1])}"))
    return handles


def _p50(run: Run) -> float:
    return run.latency_ms.p50 if run.latency_ms else 0.0


def _accuracy(run: Run) -> float:
    return run.accuracy.figure if run.accuracy else 0.0
