"""Whether one run is better than another, with the interval that says how sure that is."""

from __future__ import annotations

from eamdeploy.compare.medians import MedianDifference, compare_latency
from eamdeploy.compare.model import Comparison, MetricChange, summary
from eamdeploy.compare.noise import SessionNoise, session_noise
from eamdeploy.compare.proportions import AccuracyDifference, compare_accuracy, wilson
from eamdeploy.compare.runs import compare_runs

__all__ = [
    "AccuracyDifference",
    "Comparison",
    "MedianDifference",
    "MetricChange",
    "SessionNoise",
    "compare_accuracy",
    "compare_latency",
    "compare_runs",
    "session_noise",
    "summary",
    "wilson",
]
