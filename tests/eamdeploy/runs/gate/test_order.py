"""Any order of runs, files and folders gives the same verdict."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eamdeploy.base.chance import chance_share
from eamdeploy.base.results import Provenance, Run, RunVerdict, to_dict
from eamdeploy.runs.gate import Thresholds, run_gate
from eamdeploy.runs.gate.pairing import pair
from eamdeploy.runs.store import open_store

PLACES = ("old/model.onnx", "new/model.onnx", "model.onnx", "/abs/model.onnx", "new/other.onnx")


def _run(number: int, place: str, content: int, size: int, *, minute: int, threads: int = 1) -> Run:
    when = f"2025-03-01T12:{minute:02d}:00+00:00"
    provenance = Provenance("measured", "this", "onnxruntime", "1.32", when)
    sha256 = f"{content:064x}"
    return Run(
        f"run-{number:03d}",
        "host",
        runtime="onnxruntime",
        threads=threads,
        artifact=place,
        artifact_sha256=sha256,
        provenance=provenance,
        verdict=RunVerdict("clean"),
        bytes=size,
    )


sides = st.lists(
    st.tuples(
        st.sampled_from(PLACES), st.integers(0, 3), st.sampled_from((100, 120)), st.integers(0, 20), st.integers(1, 2)
    ),
    min_size=1,
    max_size=6,
)


def _runs_of(drawn: list[tuple[str, int, int, int, int]], first: int, later: int) -> list[Run]:
    return [
        _run(first + index, place, content, size, minute=minute + later, threads=threads)
        for index, (place, content, size, minute, threads) in enumerate(drawn)
    ]


@settings(max_examples=60, deadline=None)
@given(sides, sides, st.randoms(use_true_random=False))
def test_pairs_do_not_depend_on_the_order(old: list, new: list, random: object) -> None:
    a, b = _runs_of(old, 0, 0), _runs_of(new, 100, 30)
    expected = pair(a, b)
    random.shuffle(a)  # type: ignore[attr-defined]
    random.shuffle(b)  # type: ignore[attr-defined]
    assert pair(a, b) == expected
    used = [run.id for run_pair in expected.pairs for run in run_pair]
    assert len(used) == len(set(used)), "no run is held against two"


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sides, st.randoms(use_true_random=False))
def test_a_verdict_does_not_depend_on_the_order(tmp_path: Path, drawn: list, random: object) -> None:
    old = _runs_of(drawn, 0, 0)
    new = [_run(100 + index, run.artifact, 9, 110, minute=40, threads=run.threads) for index, run in enumerate(old)]
    limits = Thresholds(latency=None, accuracy_points=None, instructions=None, size=0.05, required=frozenset({"size"}))
    verdicts = set()
    for _ in range(2):
        random.shuffle(old)  # type: ignore[attr-defined]
        random.shuffle(new)  # type: ignore[attr-defined]
        files = []
        for name, runs in (("a.json", old), ("b.json", new)):
            files.append(tmp_path / name)
            files[-1].write_text(json.dumps({"runs": [to_dict(run) for run in runs]}))
        result = run_gate(open_store(tmp_path / "none.db"), str(files[0]), [str(files[1])], thresholds=limits)
        verdicts.add((result.verdict, tuple((check.group, check.status, check.message) for check in result.checks)))
    assert len(verdicts) == 1


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 50)), max_size=30),
    st.permutations(range(10)),
)
def test_chance_does_not_depend_on_the_numbers_of_the_classes(rows: list, order: list) -> None:
    turned = [(order[true], order[answer], count) for true, answer, count in reversed(rows)]
    assert abs(chance_share(rows) - chance_share(turned)) < 1e-12
