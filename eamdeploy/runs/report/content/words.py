"""Figures in words: few digits, the interval beside the value, nothing where nothing was measured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from eamdeploy.base.results import Run
from eamdeploy.runs.report.model import Cell

NOTHING = Cell("–", float("inf"))
PROVENANCE = {
    "measured": "measured on the machine named",
    "emulated": "run on an emulated board: outputs and counts are real, times are not",
    "estimated": "from the latency model, nothing was timed",
}


def figure(value: float) -> str:
    """Three significant digits, and no exponent in the range that latencies have."""
    if value == 0 or 0.01 <= abs(value) < 1000:
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2g}"


def size(count: float) -> str:
    """Bytes in the unit that leaves few digits."""
    for unit in ("B", "kB", "MB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def latency_kind(run: Run) -> str:
    """Where the run's latency comes from, which for an emulated board is the latency model."""
    if run.latency_ms is not None and not run.latency_ms.samples and run.provenance.kind != "measured":
        return "estimated"
    return run.provenance.kind


def latency_interval(run: Run) -> tuple[float, float] | None:
    """The interval of the median, in ms: 95 % of a measurement, 90 % of an estimate."""
    return (run.latency_ms.ci95 or run.latency_ms.interval90) if run.latency_ms else None


def latency(run: Run) -> Cell:
    """The median with its interval."""
    if run.latency_ms is None:
        return NOTHING
    interval = latency_interval(run)
    bounds = f" [{figure(interval[0])}, {figure(interval[1])}]" if interval else ""
    kind = latency_kind(run)
    sign = "~" if kind == "estimated" else ""
    return Cell(f"{sign}{figure(run.latency_ms.p50)} ms{bounds}", run.latency_ms.p50, kind)


def accuracy_figure(run: Run) -> float:
    """The accuracy in percent, to order runs by; below all others where none was measured."""
    return run.accuracy.figure if run.accuracy else float("-inf")


def accuracy_interval(run: Run) -> tuple[float, float] | None:
    """95 % interval of the accuracy, in percent."""
    return None if run.accuracy is None else run.accuracy.interval


def accuracy(run: Run) -> Cell:
    """Top-1 with its interval, or what fits the head better."""
    interval = accuracy_interval(run)
    if run.accuracy is None or interval is None:
        return NOTHING
    other = "" if run.accuracy.metric is None else f" {run.accuracy.title}"
    return Cell(f"{run.accuracy.figure:.2f} %{other} [{interval[0]:.1f}, {interval[1]:.1f}]", run.accuracy.figure)


def number(value: float | None, unit: str = "") -> Cell:
    """A figure with its unit; absent is a dash, never a zero."""
    return NOTHING if value is None else Cell(f"{figure(value)}{unit}", value)


def artifact(run: Run) -> str:
    """The artifact's file name."""
    return Path(run.artifact).name


def place(run: Run) -> str:
    """The board's name, else the profile's."""
    return run.board or run.device


def setting(run: Run) -> str:
    """Runtime and threads."""
    return f"{run.runtime} ×{run.threads}" + (f", batch {run.batch}" if run.batch != 1 else "")


def counted(count: int, noun: str) -> str:
    """``1 run``, ``12 runs``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def shorten(text: str, most: int) -> str:
    """At most ``most`` characters, the end kept too: names differ there as often as at the beginning."""
    if len(text) <= most:
        return text
    tail = most // 3
    return f"{text[: most - tail - 1]}…{text[-tail:]}"


def distinct_ends(names: Sequence[str]) -> list[str]:
    """The names from where they begin to differ, by whole parts between ``-``, ``_`` and ``.``: ``int8.onnx``, ``onnx``."""
    parts = [re.split(r"(?<=[-_.])", name) for name in names]
    same = 0
    while all(len(each) > same + 1 for each in parts) and len({each[same].rstrip("-_.") for each in parts}) == 1:
        same += 1
    return ["".join(each[same:]) for each in parts] if len(set(names)) > 1 else list(names)


def label(run: Run) -> str:
    """One line that tells runs of a report apart."""
    return f"{artifact(run)} · {place(run)} · {setting(run)}"
