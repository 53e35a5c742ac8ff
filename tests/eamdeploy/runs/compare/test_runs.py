"""Two runs side by side: words with intervals, and refusals where a figure would mislead."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from eamdeploy.base.results import AccuracyResult, Latency, Provenance, Run, RunVerdict, pack_correct
from eamdeploy.runs.compare import SessionNoise, compare_accuracy, compare_runs, session_noise


def _latency(median: float, seed: int, rounds: int = 20) -> Latency:
    samples = median * np.exp(0.01 * np.random.default_rng(seed).standard_normal(rounds * 5))
    return Latency(
        float(np.median(samples)), samples=tuple(samples.tolist()), block=tuple(np.repeat(range(rounds), 5).tolist())
    )


@pytest.fixture
def make() -> Callable[..., Run]:
    def build(name: str, **changes: Any) -> Run:
        values: dict[str, Any] = {
            "id": name,
            "device": "pi4",
            "runtime": "onnxruntime",
            "threads": 4,
            "artifact": f"{name}.onnx",
            "artifact_sha256": name * 8,
            "provenance": Provenance("measured", "mypi", "onnxruntime", "1.32"),
            "verdict": RunVerdict("clean"),
        }
        return Run(**{**values, **changes})

    return build


def _words(a: Run, b: Run, metric: str = "latency_ms.p50", **options: Any) -> str:
    change = compare_runs(a, b, **options).change(metric)
    assert change is not None
    return change.words


def test_words(make: Callable[..., Run]) -> None:
    a, slow = make("a", latency_ms=_latency(10, 1), group="g"), make("b", latency_ms=_latency(11.2, 2), group="g")
    same = make("c", latency_ms=_latency(10, 3), group="g")
    assert re.fullmatch(r"slower by 1[12]\.\d % \[1[01]\.\d, 1[23]\.\d\]", _words(a, slow))
    assert re.fullmatch(r"faster by (10|11)\.\d % \[(9|10)\.\d, 1[012]\.\d\]", _words(slow, a))
    assert _words(a, same).startswith("no difference shown (")
    assert compare_runs(a, slow).interleaved
    for words in (_words(a, slow), _words(a, same)):
        assert words.count("[") == 1, "never a percentage without its interval"


def test_what_is_not_interleaved_says_so(make: Callable[..., Run]) -> None:
    a, b = make("a", latency_ms=_latency(10, 1)), make("b", latency_ms=_latency(10.3, 2))
    assert "slower" in _words(a, b)
    assert any("not interleaved" in note for note in compare_runs(a, b).notes)
    assert "no difference shown" in _words(a, b, session_noise=SessionNoise(0.03))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"provenance": Provenance("estimated", "pi4", "model")}, "one is measured and the other estimated"),
        ({"provenance": Provenance("emulated", "pi4", "qemu")}, "one is measured and the other emulated"),
        ({"verdict": RunVerdict("invalid", ("throttled",))}, "is not valid"),
        ({"latency_ms": Latency(10.0, samples=(10.0, 10.1))}, "too few"),
        ({"latency_ms": Latency(10.0, interval90=(8.0, 12.0))}, "one is measured and the other estimated"),
    ],
)
def test_latencies_that_are_not_compared(make: Callable[..., Run], change: dict[str, Any], why: str) -> None:
    a = make("a", latency_ms=_latency(10, 1))
    b = dataclasses.replace(make("b", latency_ms=_latency(20, 2)), **change)
    comparison = compare_runs(a, b)
    assert comparison.change("latency_ms.p50") is None
    assert why in dict(comparison.refused)["latency_ms.p50"]


def test_other_settings_are_noted(make: Callable[..., Run]) -> None:
    b = make("b", threads=1, provenance=Provenance("measured", "other", "onnxruntime", "1.33"))
    notes = " ".join(compare_runs(make("a"), b).notes)
    for words in (
        "threads differs: 4 and 1",
        "different machines: mypi and other",
        "upgraded between them: 1.32 and 1.33",
    ):
        assert words in notes


def test_exact_figures_and_single_readings(make: Callable[..., Run]) -> None:
    a = make("a", instructions=1_000_000, bytes=500, memory_mb=50.0)
    b = make("b", instructions=1_020_000, bytes=500, memory_mb=40.0)
    assert _words(a, b, "instructions") == "2.0 % more"
    assert _words(a, b, "bytes") == "the same"
    assert _words(a, b, "memory_mb") == "20.0 % less (one reading each, no interval)"
    comparison = compare_runs(a, b)
    assert [change.direction for change in comparison.changes] == ["worse", "same", "unknown"]


def _accuracy(correct: list[bool], *, keep: bool = True) -> AccuracyResult:
    return AccuracyResult(
        100 * sum(correct) / len(correct), len(correct), data="d", correct=pack_correct(correct) if keep else None
    )


def test_the_same_images_are_paired() -> None:
    before = [True] * 900 + [False] * 100
    after = [False] * 30 + [True] * 870 + [False] * 95 + [True] * 5
    paired = compare_accuracy(_accuracy(before), _accuracy(after))
    assert (paired.gained, paired.lost) == (5, 30)
    assert paired.points == pytest.approx(-2.5)
    assert paired.high < 0.0, "25 of 35 changed images lost is shown to be worse"
    unpaired = compare_accuracy(_accuracy(before, keep=False), _accuracy(after, keep=False))
    assert unpaired.low < unpaired.points < 0.0 < unpaired.high
    same = compare_accuracy(_accuracy(before), _accuracy(before))
    assert same.points == 0.0
    assert same.low < -0.1 < 0.1 < same.high, "no number of images makes sure"


def test_paired_accuracy_covers_the_truth() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        before = random.random(500) < 0.9
        after = np.where(random.random(500) < 0.06, random.random(500) < 0.4, before)
        comparison = compare_accuracy(_accuracy(before.tolist()), _accuracy(after.tolist()))
        covered += comparison.low <= 100 * 0.06 * (0.4 - 0.9) <= comparison.high
    assert covered >= 276


def test_other_images_are_refused(make: Callable[..., Run]) -> None:
    a = make("a", accuracy=AccuracyResult(90.0, 100, data="cifar10"))
    b = make("b", accuracy=AccuracyResult(80.0, 100, data="fashion-mnist"))
    assert "other images" in dict(compare_runs(a, b).refused)["accuracy.top1"]


def test_images_are_known_by_their_content_where_it_was_kept(make: Callable[..., Run]) -> None:
    right = [True] * 90 + [False] * 10
    accuracy_here = dataclasses.replace(_accuracy(right), images="1" * 64)
    elsewhere = dataclasses.replace(_accuracy(right), images="2" * 64)
    assert compare_accuracy(accuracy_here, accuracy_here).method == "paired"
    assert compare_accuracy(accuracy_here, elsewhere).method == "unpaired"
    assert compare_accuracy(accuracy_here, _accuracy(right)).method == "unpaired", (
        "one of them is not known to be the same"
    )
    assert compare_accuracy(accuracy_here, dataclasses.replace(accuracy_here, data="moved")).method == "paired"
    refused = dict(compare_runs(make("a", accuracy=accuracy_here), make("b", accuracy=elsewhere)).refused)
    assert "both are called d, but the pictures" in refused["accuracy.top1"]
    moved = compare_runs(
        make("a", accuracy=accuracy_here), make("b", accuracy=dataclasses.replace(accuracy_here, data="moved"))
    )
    assert "accuracy.top1" in {change.metric for change in moved.changes}
    part = dataclasses.replace(_accuracy(right[:50]), images="3" * 64)
    assert not dict(compare_runs(make("a", accuracy=accuracy_here), make("b", accuracy=part)).refused).get(
        "accuracy.top1"
    )


def _on_day(make: Callable[..., Run], day: int, p50: float, artifact: str = "a", **changes: Any) -> Run:
    provenance = Provenance("measured", "host", "onnxruntime", "1.32", f"2026-11-{day:02}T12:00:00+00:00")
    values = {"id": f"{artifact}{day}-{p50}", "artifact_sha256": artifact * 64, "provenance": provenance, **changes}
    return make(artifact, latency_ms=Latency(p50), **values)


def test_session_noise_needs_three_sessions(make: Callable[..., Run]) -> None:
    runs = [_on_day(make, 1, 10.0), _on_day(make, 2, 10.5)]
    like = _on_day(make, 9, 10.0)
    assert session_noise(runs, like) is None
    other_runs = [
        _on_day(make, 3, 99.0, threads=1),
        _on_day(make, 4, 99.0, verdict=RunVerdict("invalid")),
        _on_day(make, 5, 99.0, artifact="b"),  # once: nothing to learn from
        make("a", latency_ms=Latency(99.0)),  # nobody knows when
    ]
    assert session_noise([*runs, *other_runs], like) is None
    learnt = session_noise([*runs, _on_day(make, 6, 9.5)], like)
    assert learnt is not None
    assert (learnt.relative, learnt.freedom) == (pytest.approx(0.05, rel=0.01), 2)


def test_what_is_measured_within_ten_minutes_is_one_session(make: Callable[..., Run]) -> None:
    """Otherwise five runs in a row would promise that the machine is as quiet tomorrow."""
    in_a_row = [_on_day(make, 1, 10.0 + n) for n in range(5)]
    assert session_noise(in_a_row, in_a_row[0]) is None
    learnt = session_noise([*in_a_row, _on_day(make, 2, 12.0), _on_day(make, 3, 12.0)], in_a_row[0])
    assert learnt is not None
    assert (learnt.relative, learnt.freedom) == (0.01, 2)  # of 12, the middle of the first day, and no less than that


def test_session_noise_is_the_machine_s_whatever_was_measured_again(make: Callable[..., Run]) -> None:
    """A new build of a model has no past of its own, its machine has."""
    medians = {"a": (10.0, 11.0), "b": (200.0, 220.0), "c": (3.0, 3.3)}
    runs = [
        _on_day(make, day, p50, artifact=name)
        for name, pair in medians.items()
        for day, p50 in enumerate(pair, start=1)
    ]
    learnt = session_noise(runs, _on_day(make, 9, 5.0, artifact="d"))
    assert learnt is not None
    assert (learnt.relative, learnt.freedom) == (pytest.approx(math.log(1.1) / math.sqrt(2)), 3)
