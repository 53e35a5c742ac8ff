"""Whether one run is better than another, with the interval that says how sure that is."""

from __future__ import annotations

from eamdeploy.runs.compare.medians import MedianDifference, compare_latency
from eamdeploy.runs.compare.model import (
    ACCURACIES,
    SETTINGS,
    Comparison,
    MetricChange,
    accuracy_metric,
    known_figure,
    summary,
)
from eamdeploy.runs.compare.noise import SessionNoise, session_noise
from eamdeploy.runs.compare.proportions import AccuracyDifference, compare_accuracy, same_images
from eamdeploy.runs.compare.runs import compare_runs

__all__ = [
    "ACCURACIES",
    "SETTINGS",
    "AccuracyDifference",
    "Comparison",
    "MedianDifference",
    "MetricChange",
    "SessionNoise",
    "accuracy_metric",
    "compare_accuracy",
    "compare_latency",
    "compare_runs",
    "known_figure",
    "same_images",
    "session_noise",
    "summary",
]
