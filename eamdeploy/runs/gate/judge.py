"""One comparison against the thresholds: a check fails only when the interval's near bound is beyond its threshold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eamdeploy.base.results import Run
from eamdeploy.runs.compare import Comparison, MetricChange
from eamdeploy.runs.findings import Check, Location
from eamdeploy.runs.gate.model import Thresholds

# metric, rule, threshold's name
_INCREASES = (
    ("latency_ms.p50", "gate/latency", "latency"),
    ("instructions", "gate/instructions", "instructions"),
    ("bytes", "gate/size", "size"),
    ("memory_mb", "gate/memory", "memory"),
)


def judge(comparison: Comparison, thresholds: Thresholds) -> Iterator[Check]:
    """The checks of one pair of runs; figures that neither run has are not asked for."""
    refused = dict(comparison.refused)
    for metric, rule, name in _INCREASES:
        allowed = getattr(thresholds, name)
        if allowed is None:
            continue
        if metric in refused:
            yield _skipped(comparison, metric, rule, refused[metric])
        elif metric == "latency_ms.p50" and (why := other_machine(comparison)):
            yield _skipped(comparison, metric, rule, why)
        elif (change := comparison.change(metric)) is not None:
            yield _made(comparison, change, rule, change.low <= allowed, f"at most +{_percent(allowed)} is allowed")
    drop = thresholds.accuracy_points
    if drop is not None:
        metric = "accuracy.top1"
        if (change := comparison.change(metric)) is not None:
            allowed_words = f"a drop of at most {drop:g} points is allowed"
            yield _made(comparison, change, "gate/accuracy", -change.high <= drop, allowed_words)
        elif metric in refused:
            yield _skipped(comparison, metric, "gate/accuracy", refused[metric])


def title(run: Run) -> str:
    """What a run is called in a check: the artifact and where it ran."""
    place = run.board or run.device
    return f"{Path(run.artifact).name} on {place}, {run.runtime}, {run.threads} thread{'s' if run.threads != 1 else ''}"


def other_machine(comparison: Comparison) -> str | None:
    """Why the two latencies cannot be held against each other, or ``None``: a time belongs to its machine."""
    a, b = comparison.a, comparison.b
    if a.latency_ms is None or b.latency_ms is None:
        return None
    for old, new in ((a.device, b.device), (a.board, b.board), (a.provenance.board, b.provenance.board)):
        if old != new:
            return f"measured on another machine: {old or 'none'} and {new or 'none'}"
    return None


def _made(comparison: Comparison, change: MetricChange, rule: str, passed: bool, allowed: str) -> Check:
    unproven = comparison.notes and change.metric == "latency_ms.p50"
    notes = f" ({'; '.join(comparison.notes)})" if unproven else ""
    return Check(
        name=change.metric,
        passed=passed,
        message=f"{change.words}; {allowed}{notes}",
        group=title(comparison.b),
        rule=rule,
        location=Location(comparison.b.artifact),
        details={
            "a": change.a,
            "b": change.b,
            "change": change.change,
            "interval": [change.low, change.high],
            "method": change.method,
            "baseline": comparison.a.id,
            "current": comparison.b.id,
        },
    )


def _skipped(comparison: Comparison, metric: str, rule: str, why: str) -> Check:
    place = Location(comparison.b.artifact)
    return Check(metric, False, f"not checked: {why}", title(comparison.b), rule, skipped=True, location=place)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:g} %"
