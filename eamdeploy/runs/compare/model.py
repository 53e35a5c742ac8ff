"""A comparison of two runs, in words that never leave the interval out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from eamdeploy.base.errors import UsageError, did_you_mean
from eamdeploy.base.results import Run, to_dict

Direction = Literal["better", "worse", "same", "unknown"]
# stands for every figure where there is nothing to compare
ITSELF = "run"
# what allow_skipped calls a figure of runs that were taken under other settings of the machine
SETTINGS = "settings"
ACCURACIES = ("accuracy.top1", "accuracy.map", "accuracy.balanced")
_HEADLINES = ("latency_ms.p50", *ACCURACIES, "instructions")
# metric to the name that allow_skipped takes, here and in the gate
NAMES = {
    "latency_ms.p50": "latency",
    **dict.fromkeys(ACCURACIES, "accuracy"),
    "instructions": "instructions",
    "bytes": "size",
    "memory_mb": "memory",
    "energy_mj": "energy",
}


@dataclass(frozen=True)
class MetricChange:
    """One figure of run B against run A.

    Attributes:
        metric: ``latency_ms.p50``, ``instructions``, one of :data:`ACCURACIES`, ``bytes``, ``memory_mb`` or ``energy_mj``.
        a, b: the two values, in the metric's unit.
        change: b relative to a as a fraction; for accuracy the difference in percentage points.
        low, high: the interval of ``change``; both equal to it where the figure is exact.
        exact: the figure has no noise (a file's size, an instruction count).
        method: how the interval was made.
        direction: what is shown, ``unknown`` where the interval holds no change.
        words: the result in words.
    """

    metric: str
    a: float
    b: float
    change: float
    low: float
    high: float
    exact: bool
    method: str
    direction: Direction
    words: str
    details: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The change as JSON types; the interval under one key."""
        document: dict[str, Any] = to_dict(self)
        document["interval"] = [document.pop("low"), document.pop("high")]
        return document


@dataclass(frozen=True)
class Comparison:
    """Run B against run A.

    Attributes:
        notes: what makes the two less comparable: another board, runtime, number of threads, a suspect measurement.
        refused: figures that both runs have and that were not compared, and why.
        absent: figures that one run has not, or that nobody measured, and which.
        otherwise: those of ``refused`` that are not comparable because the machine was set otherwise.
    """

    a: Run
    b: Run
    interleaved: bool
    changes: tuple[MetricChange, ...]
    notes: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    absent: tuple[tuple[str, str], ...] = ()
    otherwise: frozenset[str] = frozenset()

    def change(self, metric: str) -> MetricChange | None:
        """The change of one metric, where it was compared."""
        return next((change for change in self.changes if change.metric == metric), None)

    def unjudged(self, allow_skipped: Collection[str] = ()) -> tuple[str, ...]:
        """Names of the figures that could not be compared although both runs have them, or of all where none could be.

        ``settings`` stands for those of a machine that was set otherwise: to allow for a latency that nobody measured is
        not to allow for another governor.
        """
        metrics = [metric for metric, _ in self.refused]
        if not any(change.metric in _HEADLINES for change in self.changes):
            metrics += [metric for metric, _ in self.absent if metric in _HEADLINES]
        names = [SETTINGS if metric in self.otherwise else NAMES.get(metric, metric) for metric in metrics]
        if not self.changes and not names:
            names = ["everything"]
        return tuple(name for name in names if name not in allow_skipped)

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON types, samples left out."""
        return {
            "not_judged": list(self.unjudged()),
            "a": summary(self.a),
            "b": summary(self.b),
            "interleaved": self.interleaved,
            "changes": [change.to_dict() for change in self.changes],
            "notes": list(self.notes),
            "refused": [{"metric": metric, "why": why} for metric, why in self.refused],
            "absent": [{"metric": metric, "why": why} for metric, why in self.absent],
        }


def accuracy_metric(a: Run, b: Run) -> str:
    """The name of the figure by which the accuracies of two runs are compared: what fits their head."""
    metrics = [run.accuracy.metric for run in (a, b) if run.accuracy is not None and run.accuracy.metric is not None]
    return f"accuracy.{metrics[0].name}" if metrics else "accuracy.top1"


def known_figure(name: str) -> str:
    """``name``, if a figure is called so.

    Raises:
        UsageError: when none is.
    """
    figure_names = (*dict.fromkeys(NAMES.values()), SETTINGS)
    if name not in figure_names:
        raise UsageError(f"no figure is called '{name}'", hint=did_you_mean(name, figure_names))
    return name


def summary(run: Run) -> dict[str, Any]:
    """A run as JSON types without its bulk: the samples, the sensor readings and the profile."""
    document: dict[str, Any] = to_dict(run)
    if document["latency_ms"]:
        document["latency_ms"].update(samples=[], block=[])
    document["conditions"]["samples"] = []
    document["per_layer"] = []
    return document


def percent_words(change: float, low: float, high: float, less: str, more: str) -> str:
    """``faster by 12 % [9, 15]``, or ``no difference shown (-0.4 % [-1.6, +0.9])``."""
    # as many digits as the interval gives meaning to
    digits = 0 if high - low >= 0.015 else 1 if high - low >= 0.0015 else 2
    if low > 0.0:
        return f"{more} by {100 * change:.{digits}f} % [{100 * low:.{digits}f}, {100 * high:.{digits}f}]"
    if high < 0.0:
        return f"{less} by {-100 * change:.{digits}f} % [{-100 * high:.{digits}f}, {-100 * low:.{digits}f}]"
    signed = f"+.{max(1, digits)}f"
    return f"no difference shown ({100 * change:{signed}} % [{100 * low:{signed}}, {100 * high:{signed}}])"


def points_words(change: float, low: float, high: float) -> str:
    """As :func:`percent_words`, of a difference in percentage points."""
    if low > 0.0:
        return f"better by {change:.2f} points [{low:.2f}, {high:.2f}]"
    if high < 0.0:
        return f"worse by {-change:.2f} points [{-high:.2f}, {-low:.2f}]"
    return f"no difference shown ({change:+.2f} points [{low:+.2f}, {high:+.2f}])"
