"""Which classes a run takes for which: accuracy by class beside the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eamdeploy.base.results import Run
from eamdeploy.runs.report.content.words import artifact, shorten
from eamdeploy.runs.report.model import Figure
from eamdeploy.runs.report.render.svg import INK, SERIES, draw_figure

MOST_CLASSES = 20  # more do not fit a figure; they are a table
_DARK = 0.55  # share from which a number stands on a dark cell


def confusion_matrix(run: Run) -> np.ndarray[Any, np.dtype[np.int64]] | None:
    """Images by true (rows) and predicted class (columns); ``None`` where the run did not keep them."""
    confused = run.accuracy.confused if run.accuracy else None
    if not confused:
        return None
    count = 1 + max(max(true, predicted) for true, predicted, _ in confused)
    matrix = np.zeros((count, count), np.int64)
    for true, predicted, images in confused:
        matrix[true, predicted] += images
    return matrix


def confusion_figure(name: str, run: Run, classes: Sequence[str]) -> Figure | None:
    """Bars of the accuracy of each class, and the matrix; ``None`` without one, or with more than twenty classes."""
    matrix = confusion_matrix(run)
    if matrix is None or len(matrix) > MOST_CLASSES:
        return None
    labels = [classes[index] if index < len(classes) else f"class {index}" for index in range(len(matrix))]
    totals = matrix.sum(axis=1)
    shares = np.divide(matrix, totals[:, None], out=np.zeros(matrix.shape), where=totals[:, None] > 0)
    accuracy = 100 * shares.diagonal()

    def draw(canvas: Any, narrow: bool) -> None:
        names = [shorten(label, 10 if narrow else 14) for label in labels]
        left, right = canvas.subplots(2, 1, height_ratios=(1, 1.4)) if narrow else canvas.subplots(1, 2)
        left.barh(range(len(names)), accuracy, height=0.7, color=SERIES[0])
        left.set_yticks(range(len(names)), names, fontsize=8.5)
        left.set_ylim(len(names) - 0.5, -0.5)
        left.set_xlim(0, 100)
        left.tick_params(axis="y", length=0, labelcolor=INK)
        left.grid(axis="y", visible=False)
        left.set_xlabel("accuracy of the class, %")
        _matrix(right, matrix, shares, names)

    lowest = int(np.argmin(np.where(totals > 0, accuracy, 101)))
    summary = f"{labels[lowest]} is recognised least often: {accuracy[lowest]:.0f} % of {totals[lowest]} images."
    caption = f"{artifact(run)}: {summary} Numbers in the matrix: images; shade: share of the true class."
    described = "Accuracy by class: " + ", ".join(
        f"{label} {value:.0f} %" for label, value in zip(labels, accuracy, strict=True)
    )
    side = 1.2 + 0.25 * len(labels)
    return draw_figure(name, caption, described, draw, wide=side, narrow=2.1 * side)


def _matrix(axes: Any, matrix: Any, shares: Any, names: Sequence[str]) -> None:
    count = len(names)
    for true in range(count):
        for predicted in range(count):
            share = float(shares[true, predicted])
            if matrix[true, predicted]:
                colour = SERIES[0] if true == predicted else SERIES[1]
                axes.barh(
                    [true], [0.94], left=[predicted - 0.47], height=0.94, color=colour, alpha=0.12 + 0.5 * share, lw=0
                )
                axes.text(
                    predicted, true, str(matrix[true, predicted]), ha="center", va="center", fontsize=7.5, color=INK,
                    fontweight="bold" if share > _DARK else "normal",
                )  # fmt: skip
    axes.set_xlim(-0.5, count - 0.5)
    axes.set_ylim(count - 0.5, -0.5)
    axes.set_yticks(range(count), names, fontsize=8.5)
    axes.set_xticks(range(count), names, fontsize=8.5, rotation=90)
    axes.tick_params(length=0, labelcolor=INK)
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
