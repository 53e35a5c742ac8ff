"""Which run is meant: by content and by place, never by a file's name alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eamdeploy.base.errors import MeasurementError, UsageError
from eamdeploy.base.results import AccuracyResult, Latency, Run, pack_correct, to_dict
from eamdeploy.runs.gate import compare_references, run_gate, write_baseline
from eamdeploy.runs.store import Store
from tests.eamdeploy.runs.gate.conftest import latency

Make = Callable[..., Run]


@pytest.fixture
def bench(tmp_path: Path, make: Make, store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Write a file and store a run of it, as a command in this folder would."""
    monkeypatch.chdir(tmp_path)

    def measure(path: str, content: str, median: float, **changes: Any) -> Run:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(content)
        sha256 = hashlib.sha256(content.encode()).hexdigest()
        run = make(artifact=path, artifact_sha256=sha256, latency_ms=latency(median), group=None, **changes)
        return store.append(run)

    return measure


def test_two_files_of_one_name(bench: Callable[..., Run], store: Store) -> None:
    old, new = bench("old/model.onnx", "one", 10.0), bench("new/model.onnx", "two", 20.0)
    result = run_gate(store, "old/model.onnx", ["new/model.onnx"])
    assert (result.comparisons[0].a.id, result.comparisons[0].b.id, result.exit_code) == (old.id, new.id, 4)
    backwards = run_gate(store, "new/model.onnx", ["old/model.onnx"])
    assert (backwards.exit_code, backwards.unjudged) == (5, ("latency",))
    comparison = compare_references(store, "old/model.onnx", str(Path("new/model.onnx").resolve()))
    assert (comparison.a.id, comparison.b.id) == (old.id, new.id)
    with pytest.raises(UsageError, match=r"'model.onnx' names several artifacts \(new/model.onnx, old/model.onnx\)"):
        store.get("model.onnx")
    with pytest.raises(UsageError, match="nothing was measured to hold against"):
        run_gate(store, old.id)  # what lies at another place is another artifact


def test_a_file_of_both_does_not_collapse(bench: Callable[..., Run], store: Store, tmp_path: Path) -> None:
    first = [bench("old/model.onnx", "one", 10.0), bench("new/model.onnx", "two", 20.0)]
    base = tmp_path / "base.json"
    base.write_text(json.dumps({"runs": [to_dict(run) for run in first]}))
    bench("old/model.onnx", "one", 10.0)
    bench("new/model.onnx", "three", 40.0)
    result = run_gate(store, str(base))
    assert {check.location.path: check.status for check in result.checks if check.location} == {
        "old/model.onnx": "passed",
        "new/model.onnx": "failed",
    }
    itself = run_gate(store, str(base), [str(base)])
    assert (itself.exit_code, len(itself.checks)) == (5, 2)


def test_a_renamed_file_is_known_by_its_content(bench: Callable[..., Run], store: Store) -> None:
    before, other = bench("net.onnx", "one", 10.0), bench("other.onnx", "two", 5.0)
    write_baseline(store, "base.json", [before.id, other.id])
    Path("net.onnx").unlink()
    bench("renamed.onnx", "one", 10.0)
    bench("other.onnx", "two", 5.0)
    assert run_gate(store, "base.json").exit_code == 0


def test_a_folder_held_against_another(bench: Callable[..., Run], store: Store) -> None:
    old = [bench("old/a.onnx", "a", 10.0), bench("old/b.onnx", "b", 5.0)]
    new = [bench("new/b.onnx", "b2", 5.0), bench("new/a.onnx", "a2", 30.0)]
    write_baseline(store, "base.json", [run.id for run in old])
    result = run_gate(store, "base.json", [run.id for run in new])
    assert {check.group.split()[0]: check.status for check in result.checks} == {"a.onnx": "failed", "b.onnx": "passed"}


def test_a_file_that_was_changed_since_has_no_run(bench: Callable[..., Run], store: Store) -> None:
    baseline = bench("net.onnx", "one", 10.0)
    bench("net.onnx", "two", 10.0)
    Path("net.onnx").write_text("three")
    with pytest.raises(MeasurementError, match="changed since it was measured"):
        run_gate(store, baseline.id, ["net.onnx"])
    result = run_gate(store, baseline.id)
    assert (result.exit_code, result.unjudged) == (5, ("latency",))
    assert "measure it again" in result.checks[0].message
    Path("never.onnx").write_text("four")
    with pytest.raises(UsageError, match="the file was not measured"):
        store.get("never.onnx")


def test_a_copy_measured_at_both_places(bench: Callable[..., Run], store: Store) -> None:
    run_here, run_there = bench("here/net.onnx", "same", 10.0), bench("there/net.onnx", "same", 10.0)
    assert (store.get("here/net.onnx").id, store.get("there/net.onnx").id) == (run_here.id, run_there.id)
    assert store.get("net.onnx").id == run_there.id, "the same content: the latest of both"


@pytest.mark.parametrize("estimate_first", [True, False])
def test_an_emulated_run_is_not_held_against_the_estimate_beside_it(
    store: Store, make: Make, tmp_path: Path, *, estimate_first: bool
) -> None:
    """A bench on an emulated board stores two runs of a file: its accuracy, and an estimate of its latency."""
    (tmp_path / "net.onnx").write_bytes(b"net")
    place = {"artifact": str(tmp_path / "net.onnx"), "artifact_sha256": hashlib.sha256(b"net").hexdigest()}

    def bench_on_a_board(group: str) -> Run:
        kinds = {
            "emulated": {"accuracy": AccuracyResult(50.0, 200, data="d", correct=pack_correct([True, False] * 100))},
            "estimated": {"latency_ms": Latency(20.0, interval90=(15, 25))},
        }
        runs = {
            kind: make(**place, group=group, provenance=replace(make().provenance, kind=kind), **figures)
            for kind, figures in kinds.items()
        }
        for kind in sorted(runs, reverse=not estimate_first, key=["estimated", "emulated"].index):
            store.append(runs[kind])
        return runs["emulated"]

    old = bench_on_a_board("before")
    write_baseline(store, tmp_path / "base.json", [place["artifact"]])
    new = bench_on_a_board("after")
    for current in ([], [place["artifact"]]):
        result = run_gate(store, str(tmp_path / "base.json"), current)
        assert [(each.a.id, each.b.id) for each in result.comparisons] == [(old.id, new.id)]
        assert ("gate/accuracy", True) in [(check.rule, check.passed) for check in result.checks]
