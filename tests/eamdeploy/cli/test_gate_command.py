"""What a gate and a comparison end with: the exit code, and on the last line what could not be judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eamdeploy.base.results import Provenance, Run, RunVerdict
from eamdeploy.runs.store import open_store
from tests.eamdeploy.cli.conftest import Call
from tests.eamdeploy.runs.gate.conftest import accuracy, latency


def _run(number: int, **figures: object) -> Run:
    provenance = Provenance("measured", "this", "onnxruntime", "1.32", f"2025-03-01T12:0{number}:00+00:00")
    values = {"latency_ms": latency(10.0, number), "bytes": 100, **figures}
    place = f"{'old' if number < 2 else 'new'}/net.onnx"
    return Run(
        f"run-{number}",
        "host",
        runtime="onnxruntime",
        threads=1,
        artifact=place,
        artifact_sha256=f"{number}" * 64,
        provenance=provenance,
        verdict=RunVerdict("clean"),
        **values,
    )


@pytest.fixture(autouse=True)
def _stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EAMDEPLOY_STORE", str(tmp_path / "runs.db"))
    store = open_store(tmp_path / "runs.db")
    store.append_all(
        [(_run(1, accuracy=accuracy(925)), None), (_run(2), None), (_run(3, accuracy=accuracy(375)), None)]
    )


GATE = ("gate", "--baseline", "old/net.onnx", "--max-latency-increase", "50", "--current")


@pytest.mark.parametrize(
    ("words", "code", "last"),
    [
        (("run-2",), 5, "gate not valid (not judged: accuracy)"),
        (("run-2", "--allow-skipped", "accuracy"), 0, "gate passed (allowed to be skipped: accuracy)"),
        (("run-2", "--max-accuracy-drop", "off"), 0, "gate passed"),
        (("new/net.onnx",), 4, "gate failed (failed: accuracy)"),  # no such file any more: the place's latest run
        (("run-3",), 4, "gate failed (failed: accuracy)"),
        (("run-3", "--max-memory-increase", "5"), 4, "gate failed (failed: accuracy; not judged: memory)"),
        (("run-1",), 5, "gate not valid (not judged: accuracy, latency)"),
        (("run-2", "--allow-skipped", "acuracy"), 2, ""),
    ],
)
def test_the_last_line(words: tuple[str, ...], code: int, last: str, call: Call) -> None:
    exit_code, out, err = call(*GATE, *words)
    assert (exit_code, (out.splitlines() or [""])[-1]) == (code, last)
    assert bool(err) == (code == 2)


def test_what_a_settings_file_asks_for_is_asked_for(call: Call) -> None:
    plain = ("gate", "--baseline", "run-1", "--current", "run-2", "--allow-skipped", "accuracy")
    assert call(*plain, "--max-latency-increase", "50")[0] == 0
    Path("eamdeploy.toml").write_text("[gate]\nmax_memory_increase = '5'\nmax_latency_increase = '50'\n")
    code, out, _ = call(*plain, "--json")
    assert (code, json.loads(out)["not_judged"]) == (5, ["memory"])


def test_a_comparison(call: Call) -> None:
    code, out, _ = call("compare", "old/net.onnx", "run-3")
    assert (code, "worse by 55.00 points" in out) == (0, True)
    code, out, _ = call("compare", "run-1", "run-1")
    assert (code, out.splitlines()[-1]) == (5, "not judged: run")
    code, out, _ = call("compare", "run-1", "run-1", "--json")
    assert (code, json.loads(out)["not_judged"]) == (5, ["run"])
