"""Runs that were measured under other settings of the machine are not held against each other."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from eamdeploy.base.results import Conditions, Latency, Provenance, Run, RunVerdict, to_dict
from eamdeploy.runs.compare import compare_runs
from eamdeploy.runs.gate import run_gate
from eamdeploy.runs.gate.judge import judge
from eamdeploy.runs.gate.model import Thresholds, name_of
from eamdeploy.runs.store import open_store


def _run(name: str, **facts: str) -> Run:
    samples = tuple(float(value) for value in np.linspace(9.9, 10.1, 100))
    return Run(
        id=name,
        device="pi4",
        runtime="onnxruntime",
        threads=4,
        artifact="net.onnx",
        artifact_sha256="ab",
        provenance=Provenance(
            "measured", "Raspberry Pi 4", "onnxruntime", "1.32", f"2026-11-0{1 + (name == 'b')}T12:00:00+00:00"
        ),
        verdict=RunVerdict("clean"),
        latency_ms=Latency(10.0, samples=samples, block=tuple(index // 10 for index in range(100))),
        conditions=Conditions(governor=facts.get("governor"), facts=facts),
    )


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"governor": "performance"}, {"governor": "ondemand"}, "frequency governor: performance and ondemand"),
        ({"power_mode": "MAXN (0)"}, {"power_mode": "15W (2)"}, "power mode: MAXN (0) and 15W (2)"),
        ({"clocks": "free"}, {"clocks": "locked (jetson_clocks)"}, "clocks: free and locked (jetson_clocks)"),
        ({"fan": "off"}, {"fan": "automatic"}, "fan: off and automatic"),
        ({"power_supply": "no under-voltage since boot"}, {"power_supply": "under-voltage since boot"}, "power supply"),
    ],
)
def test_other_settings_are_not_comparable(before, after, words):
    comparison = compare_runs(_run("a", **before), _run("b", **after))
    assert [metric for metric, _ in comparison.refused] == ["latency_ms.p50"]
    assert words in comparison.refused[0][1]
    assert [name_of(check) for check in judge(comparison, Thresholds()) if check.unjudged] == ["settings"]
    assert comparison.unjudged() == ("settings",)
    assert comparison.unjudged(["latency"]) == ("settings",)
    assert comparison.unjudged(["settings"]) == ()


def test_the_same_settings_unknown_ones_and_other_devices_are_compared():
    a = _run("a", governor="ondemand")
    for b in (_run("b", governor="ondemand"), _run("b"), dataclasses.replace(_run("b", governor="x"), device="pi5")):
        assert [change.metric for change in compare_runs(a, b).changes] == ["latency_ms.p50"]


def test_a_measured_run_without_its_samples_is_not_called_an_estimate():
    bare = _run("b")
    bare = dataclasses.replace(bare, latency_ms=dataclasses.replace(bare.latency_ms, samples=(), block=()))
    assert (
        "b was measured, but its samples are not in it" in dict(compare_runs(_run("a"), bare).refused)["latency_ms.p50"]
    )


def test_the_gate_lets_another_governor_pass_by_its_own_name_alone(tmp_path):
    """Allowing for a latency that was not measured does not allow for a machine that was set otherwise."""
    files = []
    for name, governor in (("a", "performance"), ("b", "powersave")):
        files.append(tmp_path / f"{name}.json")
        run = dataclasses.replace(_run(name, governor=governor), bytes=100)
        files[-1].write_text(json.dumps({"runs": [to_dict(run)]}))
    limits = Thresholds(size=0.05, required=frozenset({"latency", "size"}))
    store = open_store(tmp_path / "none.db")
    codes = {}
    for allowed in ((), ("latency",), ("settings",)):
        gate_result = run_gate(store, str(files[0]), [str(files[1])], thresholds=limits, allow_skipped=allowed)
        codes[allowed] = gate_result.exit_code
        assert [name_of(check) for check in gate_result.checks] == ["settings", "size"]
    assert codes == {(): 5, ("latency",): 5, ("settings",): 0}
