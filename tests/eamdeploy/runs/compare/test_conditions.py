"""Runs that were measured under other settings of the machine are not held against each other."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from eamdeploy.base.results import Conditions, Latency, Provenance, Run, RunVerdict
from eamdeploy.runs.compare import compare_runs
from eamdeploy.runs.gate.judge import judge
from eamdeploy.runs.gate.model import Thresholds


def _run(name: str, **facts: str) -> Run:
    samples = tuple(float(value) for value in np.linspace(9.9, 10.1, 100))
    return Run(
        id=name,
        device="pi4",
        runtime="onnxruntime",
        threads=4,
        artifact="net.onnx",
        artifact_sha256="ab",
        provenance=Provenance("measured", "Raspberry Pi 4", "onnxruntime", "1.32", "2026-11-01T12:00:00+00:00"),
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
    found = compare_runs(_run("a", **before), _run("b", **after))
    assert [metric for metric, _ in found.refused] == ["latency_ms.p50"]
    assert words in found.refused[0][1]
    assert any(check.unjudged for check in judge(found, Thresholds()))


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
