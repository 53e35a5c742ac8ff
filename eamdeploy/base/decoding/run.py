"""A run that somebody else wrote: decoded by its types, then held against what one field says of another."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from eamdeploy.base.decoding.decoder import DEPTH_LIMIT, decode
from eamdeploy.base.errors import UsageError
from eamdeploy.base.results import AccuracyResult, Latency, Provenance, Run, RunVerdict
from eamdeploy.base.values import Digest, Few, FilePath, Identifier, Name

RUN_LIMIT_BYTES = 64 * 1024 * 1024
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_CLOCKS_APART = timedelta(days=1)
_ROUNDING = 1e-6
_PERCENT_ROUNDING = 0.006  # of a percentage with two digits
Problem = tuple[str, str]


@dataclass(frozen=True)
class TimedRun:
    """A run without what a latency model does not ask for; its fields are those of `Run`. It decodes four times as fast."""

    id: Identifier
    device: Name
    runtime: Name
    threads: Few
    artifact: FilePath
    artifact_sha256: Digest
    provenance: Provenance
    verdict: RunVerdict
    latency_ms: Latency | None = None
    precision: Name = ""
    batch: Few = 1
    board: Name | None = None


def decode_run(content: bytes | str, *, where: object, what: str = "this is not a run", hint: str | None = None) -> Run:
    """The run in a JSON text.

    Raises:
        UsageError: it is none, or one that cannot be; with the field and the value.
    """
    if len(content) > RUN_LIMIT_BYTES:
        raise UsageError(what, where=where, why=f"it is larger than {RUN_LIMIT_BYTES:,} bytes", hint=hint)
    return check_run(decode(Run, content, where=where, what=what, hint=hint), where=where, what=what, hint=hint)


def check_run(run: Run, *, where: object, what: str = "this is not a run", hint: str | None = None) -> Run:
    """The run, if its fields can all be true at once.

    Raises:
        UsageError: with the first that cannot.
    """
    for field, why in _problems(run):
        raise UsageError(what, where=f"{where}, field '{field}'", why=why, hint=hint)
    return run


def decode_timed_run(content: bytes | str, *, where: object, what: str = "this is not a run") -> TimedRun:
    """As `decode_run`, of the fields that a latency model is fitted to, held against each other in the same way.

    Raises:
        UsageError: with the field and the value.
    """
    run = decode(TimedRun, content, where=where, what=what)
    for field, why in _timing_problems(run):
        raise UsageError(what, where=f"{where}, field '{field}'", why=why)
    return run


def _timing_problems(run: Run | TimedRun) -> Iterator[Problem]:
    if why := _impossible_moment(run.provenance.when):
        yield "provenance.when", why
    if run.latency_ms is not None:
        yield from _latency(run.latency_ms)
        if run.provenance.kind == "estimated" and run.latency_ms.samples:
            yield "latency_ms.samples", "an estimate has no samples"


def _problems(run: Run) -> Iterator[Problem]:
    yield from _timing_problems(run)
    if run.accuracy is not None:
        yield from _accuracy(run.accuracy)
    for index, row in enumerate(run.per_layer):
        if why := _bad_operator(row):
            yield f"per_layer[{index}]", why
    if not _shallow(run.options):
        yield "options", "it is nested too deep"


def _impossible_moment(when: str) -> str | None:
    """Why a time cannot be when something was measured; an empty one is unknown, which is allowed."""
    if not when:
        return None
    try:
        moment = datetime.fromisoformat(when)
    except ValueError:
        return f"'{when}' is not a time in ISO 8601"
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if moment < _EARLIEST:
        return f"'{when}' is before there was such a board"
    if moment > datetime.now(UTC) + _CLOCKS_APART:
        return f"'{when}' is in the future"
    return None


def _latency(latency: Latency) -> Iterator[Problem]:
    for name, interval in (("ci95", latency.ci95), ("interval90", latency.interval90)):
        if interval is not None and not interval[0] <= interval[1]:
            yield f"latency_ms.{name}", f"its bounds are in the wrong order: {list(interval)}"
    if latency.ci95 is not None and not _within(latency.p50, *latency.ci95):
        yield "latency_ms.ci95", f"the median {latency.p50} is not inside {list(latency.ci95)}"
    present = [value for value in (latency.p50, latency.p90, latency.p99) if value is not None]
    if present != sorted(present) and any(b < a * (1 - _ROUNDING) for a, b in itertools.pairwise(present)):
        yield "latency_ms.p99", f"percentiles must not fall: {present}"
    samples = latency.samples
    if samples and not _within(latency.p50, min(samples), max(samples)):
        yield "latency_ms.p50", f"the median {latency.p50} is outside of its samples"
    if latency.block and len(latency.block) != len(samples):
        yield "latency_ms.block", f"{len(latency.block)} block numbers for {len(samples)} samples"


def _accuracy(accuracy: AccuracyResult) -> Iterator[Problem]:
    if accuracy.flips is not None and accuracy.flips > accuracy.n:
        yield "accuracy.flips", f"{accuracy.flips} of {accuracy.n} images"
    if accuracy.top5 is not None and accuracy.top5 < accuracy.top1 - _ROUNDING:
        yield "accuracy.top5", f"{accuracy.top5} is below top-1, {accuracy.top1}"
    if accuracy.correct is not None:
        right = int(accuracy.correct, 16)
        if right.bit_length() > accuracy.n:
            yield "accuracy.correct", f"it speaks of more than the {accuracy.n} images"
        elif abs(100 * right.bit_count() / accuracy.n - accuracy.top1) > _PERCENT_ROUNDING:
            yield "accuracy.correct", f"{right.bit_count()} of {accuracy.n} images are not {accuracy.top1} %"
    if (metric := accuracy.metric) is not None:
        if not _within(metric.value, metric.low, metric.high):
            yield "accuracy.metric", f"{metric.value} is not inside [{metric.low}, {metric.high}]"
        if metric.shares and len(metric.shares) != accuracy.n:
            yield "accuracy.metric.shares", f"{len(metric.shares)} for {accuracy.n} images"
    if accuracy.confused is not None and (images := sum(count for _, _, count in accuracy.confused)) != accuracy.n:
        yield "accuracy.confused", f"it counts {images} images, not {accuracy.n}"


def _bad_operator(row: dict[str, Any]) -> str | None:
    for key in ("name", "kind", "where"):
        if not isinstance(row.get(key, ""), str):
            return f"'{key}' must be a text"
    duration = row.get("mean_ms", 0.0)
    if isinstance(duration, bool) or not isinstance(duration, (int, float)) or not 0 <= duration < math.inf:
        return f"'mean_ms' must be a duration, not {duration!r}"
    return None if _shallow(row) else "it is nested too deep"


def _within(value: float, low: float, high: float) -> bool:
    slack = _ROUNDING * max(abs(low), abs(high), 1e-3)
    return low - slack <= value <= high + slack


def _shallow(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(DEPTH_LIMIT):
        level = [
            item
            for holder in level
            if isinstance(holder, (dict, list, tuple))
            for item in (holder.values() if isinstance(holder, dict) else holder)
        ]
        if not level:
            return True
    return False
