"""Predicted against measured, one figure a board: every left-out measurement of the newest calibrations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt
import numpy as np

from benchmarks.latency.fit_all import Evaluated
from benchmarks.latency.trials.transfer import newest
from benchmarks.latency.trials.validation import LeftOut

MARKERS = "osD^vP*X"


def plot_boards(tested: Sequence[Evaluated], out: Path) -> list[tuple[str, Path]]:
    """Write one SVG a board; returns (board, path)."""
    mpl.rcParams["svg.hashsalt"] = "eamdeploy"
    out.mkdir(parents=True, exist_ok=True)
    current = {g.conditions for g in newest([g for t in tested for g in t.groups])}
    boards = sorted({c.board for c in current})
    written = []
    for board in boards:
        lines = {c: ([], []) for c in sorted(current, key=lambda c: c.name) if c.board == board}
        for t in tested:
            for results, at in ((t.by_network, 0), (t.by_family, 1)):
                for r in results:
                    if r.conditions in lines:
                        lines[r.conditions][at].append(r)
        path = out / f"{board.lower().replace(' ', '-').replace('+', 'plus')}.svg"
        _plot(board, lines, path)
        written.append((board, path))
    return written


def _rounded(milliseconds: float) -> float:
    """A processor that sums in another order gives another last digit, which must not change a file."""
    return float(f"{milliseconds:.4g}")


def _plot(board: str, lines: dict[object, tuple[list[LeftOut], list[LeftOut]]], path: Path) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(10, 5), sharex=True, sharey=True, layout="constrained")
    for at, (axis, title) in enumerate(zip(axes, ("network left out", "family left out"), strict=True)):
        everything = [_rounded(v) for pair in lines.values() for r in pair[at] for v in (r.measured_ms, r.predicted_ms)]
        if everything:
            ends = np.array([min(everything) * 0.8, max(everything) * 1.25])
            axis.plot(ends, ends, color="0.5", linewidth=0.8)
            axis.fill_between(ends, ends / 1.1, ends * 1.1, color="0.9")
        for marker, (conditions, pair) in zip(MARKERS * 8, lines.items(), strict=False):
            c = conditions
            threads = f", {c.threads} thr." if c.threads else ""  # type: ignore[attr-defined]
            label = f"{c.runtime} {c.version[:14]}, {c.precision}{threads}"  # type: ignore[attr-defined]
            axis.plot(
                [_rounded(r.measured_ms) for r in pair[at]],
                [_rounded(r.predicted_ms) for r in pair[at]],
                marker,
                markersize=3.5,
                alpha=0.8,
                label=label,
            )
        axis.set(xscale="log", yscale="log", xlabel="measured, ms", title=title)
    axes[0].set_ylabel("predicted without it, ms")
    axes[0].legend(fontsize=6, loc="upper left")
    figure.suptitle(f"{board} (grey: within 10 %)")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
