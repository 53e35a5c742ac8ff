"""The gate's verdicts: real regressions fail, noise and machines do not, and nothing passes because nothing was measured."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eamdeploy.base.errors import UsageError
from eamdeploy.base.results import AccuracyResult, Latency, Provenance, Run, RunVerdict, pack_correct
from eamdeploy.runs.gate import GateResult, Thresholds, run_gate, write_baseline
from eamdeploy.runs.store import Store
from tests.eamdeploy.runs.gate.conftest import latency


def _accuracy(right: int, *, swapped: int = 0, n: int = 1000) -> AccuracyResult:
    """``swapped`` images right for wrong, and as many wrong for right: the same accuracy of another network."""
    correct = np.arange(n) < right
    correct[:swapped] = False
    correct[right : right + swapped] = True
    return AccuracyResult(100 * float(correct.mean()), n, data="d", correct=pack_correct(correct.tolist()))


def _at(minute: int, kind: str = "measured", board: str = "Raspberry Pi 4") -> Provenance:
    when = f"2026-11-23T12:{minute:02d}:00+00:00"
    return Provenance(kind, board, "onnxruntime", "1.32", when)


def _gate(store: Store, old: Run, new: Run, thresholds: Thresholds | None = None) -> GateResult:
    store.append_all([(old, None), (new, None)])
    return run_gate(store, old.id, [new.id], thresholds=thresholds)


@pytest.mark.parametrize(
    ("before", "after", "verdict", "code"),
    [
        (10.0, 11.0, "failed", 4),
        (10.0, 10.0, "passed", 0),
        (10.0, 10.4, "passed", 0),  # slower, but not by more than is allowed
        (10.0, 8.0, "passed", 0),
    ],
)
def test_interleaved_latency(
    *, store: Store, make: Callable[..., Run], before: float, after: float, verdict: str, code: int
) -> None:
    result = _gate(store, make(latency_ms=latency(before, 1), group="g"), make(latency_ms=latency(after, 2), group="g"))
    assert (result.verdict, result.exit_code) == (verdict, code)
    (check,) = result.checks
    assert check.rule == "gate/latency"
    assert "at most +5 % is allowed" in check.message


def test_the_near_bound_decides_not_the_estimate(store: Store, make: Callable[..., Run]) -> None:
    """Twelve percent slower on a machine so noisy that it may as well be three."""
    old, new = make(latency_ms=latency(10.0, 3, 0.5), group="g"), make(latency_ms=latency(11.2, 4, 0.5), group="g")
    result = _gate(store, old, new)
    assert result.comparisons[0].changes[0].change > 0.05
    assert result.verdict == "passed"


def test_a_run_of_another_day_needs_more_to_fail(store: Store, make: Callable[..., Run]) -> None:
    old, slower = make(latency_ms=latency(10.0, 1, 0.001)), make(latency_ms=latency(10.8, 2, 0.001))
    assert _gate(store, old, slower).verdict == "passed"
    much_slower = make(latency_ms=latency(12.5, 2, 0.001))
    store.append(much_slower)
    result = run_gate(store, old.id, [much_slower.id])
    assert result.verdict == "failed"
    assert "not interleaved" in result.checks[0].message


def test_sessions_that_wander_are_learnt_from_the_store(store: Store, make: Callable[..., Run]) -> None:
    def on_day(day: int, median: float, **changes: Any) -> Run:
        run = make(latency_ms=latency(median, day, 0.001), **changes)
        return dataclasses.replace(
            run, provenance=dataclasses.replace(run.provenance, when=f"2026-11-{day:02}T12:00:00+00:00")
        )

    wandering = [on_day(day, median) for day, median in enumerate((9.0, 10.0, 11.2, 10.5, 9.4), start=1)]
    store.append_all([(run, None) for run in wandering])
    new = on_day(6, 12.5, artifact_sha256="cd" * 32)
    store.append(new)
    assert run_gate(store, wandering[1].id, [new.id]).verdict == "passed"
    steady = [on_day(day, median, threads=2) for day, median in enumerate((10.0, 10.1, 9.9, 10.0, 10.1), start=10)]
    store.append_all([(run, None) for run in steady])
    slower = on_day(20, 11.5, artifact_sha256="cd" * 32, threads=2)
    store.append(slower)
    assert run_gate(store, steady[1].id, [slower.id]).verdict == "failed"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            {"provenance": _at(0, board="Raspberry Pi 5")},
            "measured on another machine",
        ),
        ({"device": "pi5"}, "measured on another machine"),
        ({"verdict": RunVerdict("invalid", ("throttled",))}, "is not valid"),
        ({"latency_ms": Latency(20.0, interval90=(15, 25))}, "one is measured and the other estimated"),
    ],
)
def test_latencies_that_cannot_be_judged(
    store: Store, make: Callable[..., Run], change: dict[str, Any], why: str
) -> None:
    old = make(latency_ms=latency(10.0, 1))
    result = _gate(store, old, dataclasses.replace(make(latency_ms=latency(20.0, 2)), **change))
    assert (result.verdict, result.exit_code) == ("not valid", 5)
    assert why in result.checks[0].message


def test_emulated_runs_are_gated_by_instructions(store: Store, make: Callable[..., Run]) -> None:
    minutes = iter(range(60))

    def emulated(count: int) -> Run:
        return make(
            provenance=_at(next(minutes), "emulated"), latency_ms=Latency(9.0, interval90=(7, 11)), instructions=count
        )

    old = emulated(1_000_000)
    same, more = _gate(store, old, emulated(1_015_000)), emulated(1_025_000)
    assert same.verdict == "passed"
    assert [check.status for check in same.checks] == ["passed"], (
        "the default does not ask for a latency nobody measured"
    )
    store.append(more)
    result = run_gate(store, old.id, [more.id])
    assert [check.rule for check in result.checks if check.failed] == ["gate/instructions"]
    assert "2.5 % more" in next(check for check in result.checks if check.failed).message


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        (_accuracy(900), "passed"),
        (_accuracy(900, swapped=40), "passed"),  # another network, as good
        (_accuracy(895), "passed"),
        (_accuracy(870), "failed"),
    ],
)
def test_accuracy(store: Store, make: Callable[..., Run], after: AccuracyResult, verdict: str) -> None:
    assert _gate(store, make(accuracy=_accuracy(900)), make(accuracy=after)).verdict == verdict


def test_size_and_memory_where_asked_for(store: Store, make: Callable[..., Run]) -> None:
    limits = Thresholds(size=0.1, memory=0.1)
    result = _gate(store, make(bytes=1000, memory_mb=50.0), make(bytes=1200, memory_mb=50.0), limits)
    assert {check.rule: check.status for check in result.checks} == {"gate/size": "failed", "gate/memory": "passed"}


def test_a_file_in_the_repository_is_a_baseline(store: Store, make: Callable[..., Run], tmp_path: Path) -> None:
    store.append_all(
        [(make(latency_ms=latency(10.0, 1)), None), (make(artifact="b.onnx", latency_ms=latency(5, 2)), None)]
    )
    written = write_baseline(store, tmp_path / "baseline.json", ["commit:c0f"])
    assert len(written) == 2
    assert json.loads((tmp_path / "baseline.json").read_text())["schema"] == "eamdeploy/baseline"
    store.append(make(latency_ms=latency(12.5, 3)))
    store.append(make(artifact="./b.onnx", latency_ms=latency(5, 4)))
    result = run_gate(store, str(tmp_path / "baseline.json"))
    assert {check.group.split()[0]: check.status for check in result.checks} == {
        "net.onnx": "failed",
        "b.onnx": "passed",
    }


def test_an_artifact_that_was_not_measured_fails(store: Store, make: Callable[..., Run], tmp_path: Path) -> None:
    store.append_all([(make(bytes=5, instructions=10), None), (make(artifact="gone.onnx", instructions=10), None)])
    write_baseline(store, tmp_path / "base.json", ["commit:c0ffee"])
    store.append(make(instructions=10))
    result = run_gate(store, str(tmp_path / "base.json"))
    assert [(check.rule, check.status) for check in result.checks if not check.passed] == [("gate/missing", "failed")]
    assert run_gate(store, str(tmp_path / "base.json"), allow_skipped=["missing"]).verdict == "passed"


def test_nothing_to_judge_is_an_error_not_a_pass(store: Store, make: Callable[..., Run]) -> None:
    old, other = make(latency_ms=latency(10, 1)), make(accuracy=_accuracy(900))
    store.append(old)
    with pytest.raises(UsageError, match="nothing was measured to hold against the baseline"):
        run_gate(store, old.id)
    store.append(other)
    one_sided = run_gate(store, old.id, [other.id])
    assert (one_sided.exit_code, one_sided.unjudged) == (5, ("accuracy", "latency"))
    bare = make(device="pi5"), make(device="pi5")
    store.append_all([(run, None) for run in bare])
    with pytest.raises(UsageError, match="no figure in common"):
        run_gate(store, bare[0].id, [bare[1].id])
    with pytest.raises(UsageError, match="no run was stored at commit 'dead'"):
        run_gate(store, "commit:dead")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not a file of runs"),
        ("[]", "expected object, got array"),
        ('{"runs": [{"id": 3}]}', r"field 'runs\[0\].id'\): expected str, got int"),
        ('{"runs": []}', "the file holds no runs"),
    ],
)
def test_a_file_that_is_no_baseline(store: Store, tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "base.json").write_text(content)
    with pytest.raises(UsageError, match=words):
        run_gate(store, str(tmp_path / "base.json"))
    with pytest.raises(UsageError, match="No such file"):
        run_gate(store, str(tmp_path / "none.json"))


def test_counts_and_accuracy_of_one_artifact_are_both_judged(
    store: Store, make: Callable[..., Run], tmp_path: Path
) -> None:
    minutes = iter(range(60))

    def measure(count: int, right: int) -> None:
        store.append(make(provenance=_at(next(minutes), "emulated"), instructions=count))
        store.append(make(provenance=_at(next(minutes), "emulated"), accuracy=_accuracy(right)))

    measure(1_000_000, 900)
    write_baseline(store, tmp_path / "base.json", ["commit:c0ffee"])
    measure(1_100_000, 850)
    result = run_gate(store, str(tmp_path / "base.json"))
    assert sorted(check.rule for check in result.checks if check.failed) == ["gate/accuracy", "gate/instructions"]
