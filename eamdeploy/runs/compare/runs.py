"""Two runs, figure by figure: each compared in the way its noise asks for, or refused with a reason."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from typing import NamedTuple

from eamdeploy.base.chance import chance_warning
from eamdeploy.base.errors import MeasurementError
from eamdeploy.base.results import AccuracyResult, Run
from eamdeploy.runs.compare.conditions import different_settings
from eamdeploy.runs.compare.medians import LEVEL, compare_latency
from eamdeploy.runs.compare.model import (
    ITSELF,
    Comparison,
    Direction,
    MetricChange,
    accuracy_metric,
    percent_words,
    points_words,
)
from eamdeploy.runs.compare.noise import SessionNoise
from eamdeploy.runs.compare.proportions import compare_accuracy, compare_metrics, same_images
from eamdeploy.runs.store.places import moment_of

# file sizes and counts: no noise, so any difference is one
_EXACT = {"instructions": ("fewer", "more"), "bytes": ("smaller", "larger")}
# one reading a run: a difference is reported as what was read, without an interval that nobody measured
_READINGS = {"memory_mb": ("less", "more"), "energy_mj": ("less", "more")}
_IDENTITY = ("device", "board", "runtime", "threads", "batch", "precision")


def compare_runs(a: Run, b: Run, *, session_noise: SessionNoise | None = None, level: float = LEVEL) -> Comparison:
    """Compare run ``b`` with run ``a``, both with their samples.

    Args:
        session_noise: of the machine, where known; widens the interval of runs that were not interleaved.
    """
    interleaved = a.group is not None and a.group == b.group and a.id != b.id
    session_noise = None if interleaved else session_noise
    if a.id == b.id:
        return Comparison(
            a, b, interleaved=False, changes=(), notes=(), refused=((ITSELF, f"run {a.id} is compared with itself"),)
        )
    changes: list[MetricChange] = []
    refused: list[tuple[str, str]] = []
    absent: list[tuple[str, str]] = []
    otherwise: list[str] = []
    for step in (_latency(a, b, interleaved, session_noise, level), _accuracy(a, b, level), _exact(a, b), _read(a, b)):
        for item in step:
            if isinstance(item, MetricChange):
                changes.append(item)
            elif isinstance(item, _Absent):
                absent.append((item.metric, item.why))
            elif isinstance(item, _OtherSettings):
                refused.append((item.metric, item.why))
                otherwise.append(item.metric)
            else:
                refused.append(item)
    notes = tuple(_notes(a, b, interleaved, session_noise))
    return Comparison(
        a,
        b,
        interleaved=interleaved,
        changes=tuple(changes),
        notes=notes,
        refused=tuple(refused),
        absent=tuple(absent),
        otherwise=frozenset(otherwise),
    )


class _Absent(NamedTuple):
    """A figure that there are no two measurements of."""

    metric: str
    why: str


class _OtherSettings(NamedTuple):
    """A figure that both runs have, taken under other settings of the machine."""

    metric: str
    why: str


_Step = Iterator[MetricChange | _Absent | _OtherSettings | tuple[str, str]]


def _latency(a: Run, b: Run, interleaved: bool, session_noise: SessionNoise | None, level: float) -> _Step:
    metric = "latency_ms.p50"
    if a.latency_ms is None or b.latency_ms is None:
        yield from _one_sided(metric, a.latency_ms, b.latency_ms)
        return
    kinds = [_latency_kind(run) for run in (a, b)]
    if kinds[0] != kinds[1]:
        yield metric, f"one is {kinds[0]} and the other {kinds[1]}"
        return
    if kinds[0] != "measured":
        yield _Absent(metric, f"both are {kinds[0]}: a difference between them says nothing about the machine")
        return
    invalid = [run.id for run in (a, b) if run.verdict.state == "invalid"]
    if invalid:
        yield metric, f"the measurement {' and '.join(invalid)} is not valid"
        return
    bare = [run.id for run in (a, b) if run.latency_ms is None or not run.latency_ms.samples]
    if bare:
        yield metric, f"{' and '.join(bare)} was measured, but its samples are not in it, so there is no interval"
        return
    if settings := different_settings(a, b):
        yield _OtherSettings(metric, f"not comparable, the machine was set otherwise ({'; '.join(settings)})")
        return
    try:
        latency_change = compare_latency(
            a.latency_ms, b.latency_ms, interleaved=interleaved, session_noise=session_noise, level=level
        )
    except MeasurementError as error:
        yield metric, str(error)
        return
    for side, latency in (("A", a.latency_ms), ("B", b.latency_ms)):
        middle = statistics.median(latency.samples)
        if not abs(middle - latency.p50) <= 1e-3 * middle:
            yield (
                metric,
                f"{side} contradicts itself: its median is {latency.p50:g} ms, that of its samples {middle:g} ms",
            )
            return
    yield MetricChange(
        metric,
        a.latency_ms.p50,
        b=b.latency_ms.p50,
        change=latency_change.relative,
        low=latency_change.low,
        high=latency_change.high,
        exact=False,
        method=latency_change.method,
        direction=_direction(latency_change.low, latency_change.high, less_is_better=True),
        words=percent_words(latency_change.relative, latency_change.low, latency_change.high, "faster", "slower"),
        details={
            "difference_ms": latency_change.difference_ms,
            "level": latency_change.level,
            "rounds": latency_change.rounds,
            "session_noise": latency_change.session_noise and latency_change.session_noise.relative,
        },
    )


def _latency_kind(run: Run) -> str:
    """An emulated run's latency comes from the model: its own samples are what makes it a measurement."""
    latency = run.latency_ms
    if latency is not None and not latency.samples and (run.provenance.kind != "measured" or latency.interval90):
        return "estimated"
    return run.provenance.kind


def _accuracy(a: Run, b: Run, level: float) -> _Step:
    metric = accuracy_metric(a, b)
    if a.accuracy is None or b.accuracy is None:
        yield from _one_sided(metric, a.accuracy, b.accuracy)
        return
    titles = [result.title for result in (a.accuracy, b.accuracy)]
    if titles[0] != titles[1]:
        yield metric, f"one is a {titles[0]} and the other a {titles[1]}"
        return
    if different := _other_images(a.accuracy, b.accuracy):
        yield metric, different
        return
    compare = compare_accuracy if a.accuracy.metric is None else compare_metrics
    accuracy = compare(a.accuracy, b.accuracy, level=level)
    yield MetricChange(
        metric,
        a.accuracy.figure,
        b=b.accuracy.figure,
        change=accuracy.points,
        low=accuracy.low,
        high=accuracy.high,
        exact=False,
        method=f"{accuracy.method} images",
        direction=_direction(accuracy.low, accuracy.high, less_is_better=False),
        words=points_words(accuracy.points, accuracy.low, accuracy.high),
        details={"gained": accuracy.gained, "lost": accuracy.lost, "n": [a.accuracy.n, b.accuracy.n], "level": level},
    )


def _one_sided(metric: str, a: object | None, b: object | None) -> Iterator[_Absent]:
    if (a is None) != (b is None):
        yield _Absent(metric, f"{'A' if a is None else 'B'} has none")


def _other_images(a: AccuracyResult, b: AccuracyResult) -> str | None:
    """Why two accuracies can't be compared; a part of a data set may stand beside the whole."""
    if same_images(a, b):
        return None
    if a.data != b.data:
        return f"other images: {a.data or 'unnamed'} and {b.data or 'unnamed'}"
    if a.images and b.images and a.n == b.n:
        return f"other images: both are called {a.data or 'nothing'}, but the pictures or their classes differ"
    return None


def _exact(a: Run, b: Run) -> _Step:
    for metric, (less, more) in _EXACT.items():
        old, new = getattr(a, metric), getattr(b, metric)
        if old and new:
            yield _plain(metric, float(old), float(new), less=less, more=more, method="exact")
        else:
            yield from _one_sided(metric, old or None, new or None)


def _read(a: Run, b: Run) -> _Step:
    for metric, (less, more) in _READINGS.items():
        old, new = getattr(a, metric), getattr(b, metric)
        if old and new:
            yield _plain(metric, old, new, less=less, more=more, method="one reading each")


def _plain(metric: str, old: float, new: float, *, less: str, more: str, method: str) -> MetricChange:
    change = new / old - 1.0
    figure = f"{abs(100.0 * change):.1f} %"
    words = "the same" if new == old else f"{figure} {less if new < old else more}"
    direction: Direction = "same" if new == old else "better" if new < old else "worse"
    if method != "exact":
        # one reading cannot show that it would come out so again
        words, direction = f"{words} ({method}, no interval)", "same" if new == old else "unknown"
    return MetricChange(
        metric,
        old,
        b=new,
        change=change,
        low=change,
        high=change,
        exact=method == "exact",
        method=method,
        direction=direction,
        words=words,
        details={},
    )


def _direction(low: float, high: float, *, less_is_better: bool) -> Direction:
    if low <= 0.0 <= high:
        return "same" if low == high == 0.0 else "unknown"
    return "better" if (high < 0.0) == less_is_better else "worse"


def _doubt(run: Run) -> str:
    return f"{run.verdict.state}: {', '.join(run.verdict.reasons) or 'no reason given'}"


def _source(noise: SessionNoise) -> str:
    return "assumed" if math.isinf(noise.freedom) else "learnt from stored sessions"


def _notes(a: Run, b: Run, interleaved: bool, session_noise: SessionNoise | None) -> Iterator[str]:
    for name in _IDENTITY:
        old, new = getattr(a, name), getattr(b, name)
        if old != new:
            yield f"{name} differs: {old or 'none'} and {new or 'none'}"
    if (old := a.provenance.board) != (new := b.provenance.board):
        yield f"measured on different machines: {old} and {new}"
    if (old := a.provenance.runtime_version) != (new := b.provenance.runtime_version) and a.runtime == b.runtime:
        yield f"{a.runtime} was upgraded between them: {old} and {new}"
    before, after = moment_of(a), moment_of(b)
    if before and after and after < before and not interleaved:
        yield "B was measured before A"
    for side, result in (("A", a.accuracy), ("B", b.accuracy)):
        if result is not None and (warning := chance_warning(result)):
            yield f"{side} is at chance level: {warning}"
    if a.accuracy and b.accuracy and a.accuracy.data == b.accuracy.data and not same_images(a.accuracy, b.accuracy):
        yield "the accuracies are not known to be over the same images: compared unpaired, by a wider interval"
    if a.verdict == b.verdict and a.verdict.state != "clean":
        yield f"both are {_doubt(a)}"
    else:
        yield from (f"{side} is {_doubt(run)}" for side, run in (("A", a), ("B", b)) if run.verdict.state != "clean")
    if a.latency_ms and b.latency_ms and not interleaved and _latency_kind(a) == _latency_kind(b) == "measured":
        conditions = (
            f"the interval allows {100 * session_noise.relative:.1f} % ({_source(session_noise)}) for what changes between sessions"
            if session_noise
            else "what changes between sessions is not in the interval"
        )
        yield f"not interleaved: {conditions}; measure both in one 'eamdeploy bench A B' to pair them"
