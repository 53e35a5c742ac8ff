"""What a gate was asked for and cannot judge is not passed: exit 5, with its name on the last line."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from eamdeploy.base.errors import UsageError
from eamdeploy.base.results import AccuracyResult, Latency, Provenance, Run
from eamdeploy.runs.gate import GateResult, Thresholds, run_gate
from eamdeploy.runs.store import Store
from tests.eamdeploy.runs.gate.conftest import accuracy, latency

Make = Callable[..., Run]
ASKED = Thresholds(latency=None, instructions=None, accuracy_points=1.0, required=frozenset({"accuracy"}))


def _gate(store: Store, old: Run, new: Run, **options: Any) -> GateResult:
    store.append_all([(old, None), (new, None)])
    return run_gate(store, old.id, [new.id], **{"thresholds": ASKED, **options})


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (accuracy(925), accuracy(925, images="2" * 64), "other images"),
        (accuracy(925), accuracy(925, images=None), "other images"),
        (accuracy(925), accuracy(463, 500), "other images"),
        (accuracy(925), None, "the current run has no such figure"),
        (None, accuracy(925), "the baseline run has no such figure"),
        (None, None, "neither run has measured it"),
        (accuracy(0), accuracy(0), "chance level"),
        (accuracy(110), accuracy(110), "chance level"),
        (accuracy(9, 10), accuracy(9, 10), "10 images are too few"),
    ],
)
def test_an_accuracy_limit_that_cannot_be_judged(
    store: Store, make: Make, old: AccuracyResult | None, new: AccuracyResult | None, why: str
) -> None:
    a, b = make(accuracy=old, bytes=10), make(accuracy=new, bytes=10)
    result = _gate(store, a, b)
    assert (result.exit_code, result.unjudged) == (5, ("accuracy",))
    assert why in result.checks[0].message
    assert result.sentence == "gate not valid (not judged: accuracy)"


def test_a_good_and_a_bad_accuracy_are_judged(store: Store, make: Make) -> None:
    good, bad = accuracy(37, 40), accuracy(15, 40)
    assert _gate(store, make(accuracy=good), make(accuracy=good)).exit_code == 0
    assert _gate(store, make(accuracy=good), make(accuracy=bad)).exit_code == 4


def test_it_passes_where_that_is_allowed_by_name(store: Store, make: Make) -> None:
    old, new = make(bytes=10, accuracy=accuracy(925)), make(bytes=10)
    limits = dataclasses.replace(ASKED, size=0.1)
    result = _gate(store, old, new, thresholds=limits, allow_skipped=["accuracy"])
    assert (result.exit_code, result.sentence) == (0, "gate passed (allowed to be skipped: accuracy)")
    assert run_gate(store, old.id, [new.id], thresholds=limits, allow_skipped=["latency"]).exit_code == 5
    with pytest.raises(UsageError, match="no check of the gate is called 'acuracy'; did you mean 'accuracy'"):
        run_gate(store, old.id, [new.id], allow_skipped=["acuracy"])


def test_a_gate_of_which_everything_is_allowed_to_be_skipped_has_judged_nothing(store: Store, make: Make) -> None:
    result = _gate(store, make(accuracy=accuracy(925)), make(), allow_skipped=["accuracy"])
    assert (result.exit_code, result.sentence.split(" (")[0]) == (5, "gate not valid")


def test_one_regression_beside_something_unjudged_is_a_regression(store: Store, make: Make) -> None:
    limits = dataclasses.replace(ASKED, size=0.1)
    result = _gate(store, make(bytes=10, accuracy=accuracy(925)), make(bytes=20), thresholds=limits)
    assert (result.exit_code, result.sentence) == (4, "gate failed (failed: size; not judged: accuracy)")


def test_a_required_figure_of_another_run_of_the_same_artifact(store: Store, make: Make) -> None:
    """On an emulated board accuracy and instructions are runs apart; each is asked for once an artifact."""
    where = {"device": "pi4"}
    old = [make(accuracy=accuracy(900), **where), make(instructions=1000, **where)]
    new = [make(accuracy=accuracy(900), **where), make(instructions=1000, **where)]
    store.append_all([(run, None) for run in old])
    limits = Thresholds(required=frozenset({"accuracy", "instructions"}))
    store.append_all([(run, None) for run in new])
    for run in old:
        assert run_gate(store, run.id, thresholds=Thresholds()).exit_code == 0
    result = run_gate(store, "commit:c0ffee", [run.id for run in new], thresholds=limits)
    assert result.exit_code == 5, "the commit's latest runs are the current ones themselves"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"threads": 1}, "other threads"),
        ({"batch": 8}, "other batch"),
        ({"latency_ms": dataclasses.replace(latency(10), p50=10.05)}, "contradicts itself"),
        ({"latency_ms": Latency(10.0)}, "its samples are not in it"),
        ({"latency_ms": None}, "has no such figure"),
    ],
)
def test_latencies_that_prove_nothing(store: Store, make: Make, change: dict[str, Any], why: str) -> None:
    old = make(latency_ms=latency(10))
    new = dataclasses.replace(make(latency_ms=latency(10, 1)), **change)
    result = _gate(store, old, new, thresholds=Thresholds())
    assert (result.exit_code, result.unjudged) == (5, ("latency",))
    assert why in result.checks[0].message


def test_a_run_held_against_itself_or_against_a_later_one(store: Store, make: Make) -> None:
    old, new = make(latency_ms=latency(10)), make(latency_ms=latency(10, 1))
    store.append_all([(old, None), (new, None)])
    assert run_gate(store, old.id, [new.id]).exit_code == 0
    for a, b, why in ((old, old, "against itself"), (new, old, "older than its baseline")):
        result = run_gate(store, a.id, [b.id])
        assert (result.exit_code, result.unjudged) == (5, ("latency",))
        assert why in result.checks[0].message
    copied = dataclasses.replace(old, id="copy")
    undated = dataclasses.replace(old, id="undated", provenance=Provenance("measured", "Raspberry Pi 4", "onnxruntime"))
    store.append_all([(copied, None), (undated, None)])
    assert "against itself" in run_gate(store, old.id, ["copy"]).checks[0].message
    assert "does not say when" in run_gate(store, old.id, ["undated"]).checks[0].message


def test_offsets_do_not_make_a_run_older(store: Store, make: Make) -> None:
    def at(when: str) -> Provenance:
        return Provenance("measured", "Raspberry Pi 4", "onnxruntime", "1.32", when)

    old = make(latency_ms=latency(10), provenance=at("2026-11-22T14:00:00+02:00"))
    new = make(latency_ms=latency(10, 1), provenance=at("2026-11-22T13:00:00+00:00"))
    assert _gate(store, old, new, thresholds=Thresholds()).exit_code == 0


def test_runs_of_one_command_have_no_order(store: Store, make: Make) -> None:
    first, second = make(latency_ms=latency(10), group="g"), make(latency_ms=latency(10, 1), group="g")
    assert _gate(store, second, first, thresholds=Thresholds()).exit_code == 0
