"""Curves of training runs, one over the other: accuracy on training and test images, and the learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eamdeploy.runs.report.content.training import TrainingRun
from eamdeploy.runs.report.content.words import shorten
from eamdeploy.runs.report.model import Figure
from eamdeploy.runs.report.render.svg import MUTED, SERIES, draw_figure


def training_figure(name: str, runs: Sequence[TrainingRun]) -> Figure | None:
    """As many runs as there are colours; ``None`` without any."""
    runs_shown = list(runs)[: len(SERIES)]
    if not runs_shown:
        return None

    def draw(canvas: Any, narrow: bool) -> None:
        from matplotlib.lines import Line2D
        from matplotlib.ticker import MaxNLocator

        panels = canvas.subplots(3, 1) if narrow else canvas.subplots(1, 3)
        for colour, run in zip(SERIES, runs_shown, strict=False):
            epochs = [row["epoch"] for row in run.rows]
            for panel, key, line in ((0, "top1", "-"), (0, "train_top1", ":"), (1, "loss", "-"), (2, "lr", "-")):
                values = [row[key] for row in run.rows]
                panels[panel].plot(epochs, values, ls=line, color=colour, lw=1.6, marker="o", ms=2.2)
        for axes, label in zip(panels, ("top-1, %", "training loss", "learning rate"), strict=True):
            axes.set_xlabel("epoch")
            axes.set_ylabel(label)
            axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        handles = [
            Line2D([], [], color=colour, lw=2, label=shorten(run.name, 24))
            for colour, run in zip(SERIES, runs_shown, strict=False)
        ]
        handles += [Line2D([], [], color=MUTED, ls=":", label="training images")]
        canvas.legend(handles=handles, loc="outside lower center", ncols=2 if narrow else len(handles))

    described = "Training curves: " + "; ".join(
        f"{run.name}, {len(run.rows)} epochs, last test top-1 {run.rows[-1]['top1']:.1f} %" for run in runs_shown
    )
    rest_text = f" The first {len(runs_shown)} of {len(runs)} runs." if len(runs) > len(runs_shown) else ""
    caption = (
        f"Top-1 on test images (solid) and on training images (dotted), loss and learning rate by epoch.{rest_text}"
    )
    return draw_figure(name, caption, described, draw, wide=3.2, narrow=7.4)
