"""One comparison against the thresholds: a check fails only when the interval's near bound is beyond its threshold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from eamdeploy.base.results import Run
from eamdeploy.runs.compare import ACCURACIES, SETTINGS, Comparison, MetricChange, accuracy_metric
from eamdeploy.runs.findings import Check, Location
from eamdeploy.runs.gate import unjudged
from eamdeploy.runs.gate.model import Thresholds


@dataclass(frozen=True)
class Question:
    """What a threshold asks of two runs.

    Attributes:
        name: what ``allow_skipped`` and ``Thresholds.required`` call it.
        metric: what is compared.
        points: the threshold is a drop in percentage points; else an increase as a fraction.
        why_not: why the figures that both runs have cannot be held against each other.
    """

    name: str
    metric: str
    rule: str
    points: bool = False
    why_not: Callable[[Comparison], str | None] = unjudged.other_settings

    @property
    def metrics(self) -> tuple[str, ...]:
        """What may be compared: of accuracies, what fits the head."""
        return ACCURACIES if self.points else (self.metric,)

    def metric_of(self, comparison: Comparison) -> str:
        """What is compared of two runs."""
        return accuracy_metric(comparison.a, comparison.b) if self.points else self.metric


QUESTIONS = (
    Question("latency", "latency_ms.p50", "gate/latency", why_not=unjudged.other_machine),
    Question("instructions", "instructions", "gate/instructions"),
    Question("accuracy", "accuracy.top1", "gate/accuracy", points=True, why_not=unjudged.accuracy),
    Question("size", "bytes", "gate/size", why_not=lambda comparison: None),  # noqa: ARG005
    Question("memory", "memory_mb", "gate/memory", why_not=unjudged.other_machine),
)


def judge(comparison: Comparison, thresholds: Thresholds, *, stale: str | None = None) -> Iterator[Check]:
    """The checks of one pair of runs; a figure that neither run has measured is not asked for here.

    Args:
        stale: why the current run says nothing about the file that is there now.
    """
    strangers = unjudged.not_two_runs(comparison.a, comparison.b) or stale
    refused = dict(comparison.refused)
    for question in QUESTIONS:
        allowed = getattr(thresholds, "accuracy_points" if question.points else question.name)
        presence = has(comparison.a, question), has(comparison.b, question)
        if allowed is None or not any(presence):
            continue
        metric = question.metric_of(comparison)
        change = comparison.change(metric)
        why = strangers or refused.get(metric) or _one_sided(presence) or question.why_not(comparison)
        if why is not None:
            otherwise = why == refused.get(metric) and metric in comparison.otherwise
            yield _skipped(comparison, question, why, rule=f"gate/{SETTINGS}" if otherwise else question.rule)
        elif change is not None:
            check = _judgement(comparison, change, question, allowed)
            few = unjudged.too_few(comparison, change) if question.points and check.passed else None
            yield _skipped(comparison, question, few, rule=question.rule) if few else check


def has(run: Run, question: Question) -> bool:
    """Whether a run has measured the figure; an estimate of its latency is none."""
    if question.name == "latency":
        return run.latency_ms is not None and (bool(run.latency_ms.samples) or run.provenance.kind == "measured")
    if question.name == "accuracy":
        return run.accuracy is not None
    return bool(getattr(run, question.metric))


def title(run: Run) -> str:
    """What a run is called in a check: the artifact and where it ran."""
    place = run.board or run.device
    return f"{Path(run.artifact).name} on {place}, {run.runtime}, {run.threads} thread{'s' if run.threads != 1 else ''}"


def _one_sided(presence: tuple[bool, bool]) -> str | None:
    if all(presence):
        return None
    return f"the {'current' if presence[0] else 'baseline'} run has no such figure"


def _judgement(comparison: Comparison, change: MetricChange, question: Question, allowed: float) -> Check:
    passed = -change.high <= allowed if question.points else change.low <= allowed
    words = f"a drop of at most {allowed:g} points" if question.points else f"at most +{100 * allowed:g} %"
    unproven = comparison.notes and change.metric == "latency_ms.p50"
    notes = f" ({'; '.join(comparison.notes)})" if unproven else ""
    return Check(
        name=change.metric,
        passed=passed,
        message=f"{change.words}; {words} is allowed{notes}",
        group=title(comparison.b),
        rule=question.rule,
        required=True,
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


def _skipped(comparison: Comparison, question: Question, why: str, *, rule: str) -> Check:
    return Check(
        name=question.metric_of(comparison),
        passed=False,
        message=f"not judged: {why}",
        group=title(comparison.b),
        rule=rule,
        skipped=True,
        required=True,
        location=Location(comparison.b.artifact),
        details={"baseline": comparison.a.id, "current": comparison.b.id},
    )
