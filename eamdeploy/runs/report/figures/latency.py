"""Latency distributions: every sample counts, the tail is shown, and the median carries its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eamdeploy.base.results import Run
from eamdeploy.runs.report.content.words import artifact, figure, latency_interval, place, setting, shorten
from eamdeploy.runs.report.figures.axes import plain_log
from eamdeploy.runs.report.model import Figure
from eamdeploy.runs.report.render.svg import INK, MUTED, SERIES, draw_figure

_MOST = 16
_BINS = 90


def latency_figure(name: str, runs: Sequence[Run]) -> Figure | None:
    """One row a run, fastest first; ``None`` where nothing was timed."""
    timed = [run for run in runs if run.latency_ms is not None and len(run.latency_ms.samples) > 1]
    runs_shown = sorted(timed, key=lambda run: _samples(run)[1])[:_MOST]
    if not runs_shown:
        return None
    height = 1.0 + 0.46 * len(runs_shown)

    def draw(canvas: Any, narrow: bool) -> None:
        axes = canvas.add_subplot()
        low = min(float(_samples(run)[0].min()) for run in runs_shown)
        high = max(float(_samples(run)[0].max()) for run in runs_shown)
        logarithmic = high > 5 * low
        edges = np.geomspace(low, high, _BINS + 1) if logarithmic else np.linspace(low, high, _BINS + 1)
        if high == low:
            edges = np.linspace(low * 0.99, high * 1.01, _BINS + 1)
        for row, run in enumerate(runs_shown):
            _row(axes, run, len(runs_shown) - 1 - row, edges)
        axes.set_yticks(range(len(runs_shown)), [_title(run, narrow) for run in reversed(runs_shown)])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.grid(axis="x", visible=False)
        axes.spines["left"].set_visible(False)
        axes.set_ylim(-0.35, len(runs_shown) - 0.05)
        axes.set_xlabel("latency of one inference, ms")
        if logarithmic:
            axes.set_xscale("log")
            plain_log(axes.xaxis, low, high)

    described = "Distribution of latencies: " + "; ".join(
        f"{artifact(run)} median {figure(run.latency_ms.p50)} ms, slowest of {len(run.latency_ms.samples)} "
        f"{figure(max(run.latency_ms.samples))} ms"
        for run in runs_shown
        if run.latency_ms
    )
    rest_text = f" The fastest {_MOST} of {len(timed)} runs." if len(timed) > _MOST else ""
    caption = f"Every timed inference. Line: median; thick: its interval; ticks: 90th and 99th percentile.{rest_text}"
    return draw_figure(name, caption, described, draw, wide=height, narrow=height + 0.25 * len(runs_shown))


def _row(axes: Any, run: Run, position: int, edges: Any) -> None:
    samples, median = _samples(run)
    colour = SERIES[0] if run.precision != "int8" else SERIES[1]
    counts = np.histogram(samples, bins=edges)[0].astype(float)
    # a square root keeps a tail of single samples visible beside the peak
    height = 0.72 * np.sqrt(counts / counts.max())
    axes.stairs(position + height, edges, baseline=position, fill=True, color=colour, alpha=0.75, lw=0)
    low, high = latency_interval(run) or (median, median)
    axes.plot([low, high], [position - 0.07, position - 0.07], color=INK, lw=3, solid_capstyle="round", zorder=4)
    axes.plot([median, median], [position - 0.14, position + 0.72], color=INK, lw=1.2, zorder=4)
    for share, reach in ((90, 0.3), (99, 0.2)):
        value = float(np.percentile(samples, share))
        axes.plot([value, value], [position - 0.1, position + reach], color=MUTED, lw=1.4, zorder=3)


def _samples(run: Run) -> tuple[Any, float]:
    values = np.asarray(run.latency_ms.samples if run.latency_ms else (), np.float64)
    values = values[np.isfinite(values) & (values > 0)]
    return values, float(np.median(values))


def _title(run: Run, narrow: bool) -> str:
    if narrow:
        return f"{shorten(artifact(run), 20)}\n{shorten(place(run), 20)}"
    return f"{shorten(artifact(run), 36)}\n{shorten(place(run), 24)}, {setting(run)}"
