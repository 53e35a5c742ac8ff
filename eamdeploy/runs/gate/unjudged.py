"""Why a figure of two runs cannot be judged, in one sentence; a gate that is asked for it does not pass."""

from __future__ import annotations

from pathlib import Path

from eamdeploy.base.chance import chance_warning
from eamdeploy.base.results import AccuracyResult, Run
from eamdeploy.runs.compare import Comparison, MetricChange, same_images
from eamdeploy.runs.store.places import content_of, moment_of, place_of

# half the width of an accuracy's interval, in points, beyond which its images could not show a drop that matters
WIDEST_POINTS = 10.0


def not_two_runs(a: Run, b: Run) -> str | None:
    """Why ``b`` is no later measurement than ``a``, or ``None``."""
    if a.id == b.id or _same_measurement(a, b):
        return f"run {b.id} is held against itself"
    if a.group is not None and a.group == b.group:
        return None  # measured in turns: neither is the older one
    before, after = moment_of(a), moment_of(b)
    if before is None or after is None:
        return f"run {(a if before is None else b).id} does not say when it was measured"
    if after < before:
        when = f"the current run ({after:%Y-%m-%d %H:%M}) is older than its baseline ({before:%Y-%m-%d %H:%M})"
        return f"{when}: measure it again with 'eamdeploy bench'"
    return None


def changed_since(run: Run) -> str | None:
    """Why a run that was looked up in the store says nothing about the file that lies at its place now, or ``None``."""
    path = Path(place_of(run.artifact))
    if path.is_file() and content_of(path) != run.artifact_sha256:
        return f"{path} was changed since run {run.id}: measure it again with 'eamdeploy bench'"
    return None


def other_machine(comparison: Comparison) -> str | None:
    """Why two times or sizes in memory cannot be held against each other, or ``None``: they belong to their machine."""
    a, b = comparison.a, comparison.b
    for old, new in ((a.device, b.device), (a.board, b.board), (a.provenance.board, b.provenance.board)):
        if old != new:
            return f"measured on another machine: {old or 'none'} and {new or 'none'}"
    return other_settings(comparison)


def other_settings(comparison: Comparison) -> str | None:
    """Why two figures of one inference are not of the same kind of inference, or ``None``."""
    a, b = comparison.a, comparison.b
    for name in ("threads", "batch"):
        old, new = getattr(a, name), getattr(b, name)
        if old != new:
            return f"measured with other {name}: {old} and {new}"
    return None


def accuracy(comparison: Comparison) -> str | None:
    """Why two accuracies prove nothing: other images, or a baseline that guesses."""
    a, b = comparison.a.accuracy, comparison.b.accuracy
    if a is None or b is None:
        return None
    if a.n != b.n or not same_images(a, b):
        return f"other images: {_images(a)} and {_images(b)}"
    if warning := chance_warning(a):
        return f"the baseline is at chance level: {warning}"
    return None


def too_few(comparison: Comparison, change: MetricChange) -> str | None:
    """Why a difference of accuracies that shows no drop proves nothing: its images could not have shown one."""
    half = (change.high - change.low) / 2
    if comparison.b.accuracy is None or half <= WIDEST_POINTS:
        return None
    return f"{comparison.b.accuracy.n} images are too few: the difference is known to ±{half:.0f} points only"


def _same_measurement(a: Run, b: Run) -> bool:
    """Whether two runs are copies of one: no two measurements have the same samples at the same time."""
    if a.artifact_sha256 != b.artifact_sha256 or a.provenance.when != b.provenance.when or not a.provenance.when:
        return False
    return a.latency_ms == b.latency_ms and a.accuracy == b.accuracy and a.instructions == b.instructions


def _images(result: AccuracyResult) -> str:
    digest = f", {result.images[:8]}" if result.images else ""
    return f"{result.n} of {result.data or 'unnamed'}{digest}"
