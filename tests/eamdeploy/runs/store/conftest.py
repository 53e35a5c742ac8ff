"""Runs to store, with made-up figures: what is tested here is that they come back."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from eamdeploy.base.results import (
    AccuracyResult,
    Conditions,
    Latency,
    Provenance,
    Run,
    RunVerdict,
    SensorSample,
)


def _make_run(**changes: Any) -> Run:
    samples = tuple(10.0 + 0.01 * index for index in range(40))
    values: dict[str, Any] = {
        "id": f"20261122T120000-{uuid.uuid4().hex[:12]}",
        "device": "pi4",
        "runtime": "onnxruntime",
        "threads": 4,
        "artifact": "out/model.onnx",
        "artifact_sha256": "ab" * 32,
        "provenance": Provenance("measured", "host", "onnxruntime", "1.32", "2026-11-22T12:00:00+00:00"),
        "verdict": RunVerdict("clean"),
        "latency_ms": Latency(
            10.2,
            10.3,
            p99=10.4,
            mean=10.2,
            ci95=(10.1, 10.3),
            interval90=None,
            samples=samples,
            block=tuple(i // 10 for i in range(40)),
        ),
        "accuracy": AccuracyResult(91.5, 1000, data="fashion-mnist"),
        "conditions": Conditions((SensorSample(0.0, temperature_c=51.5), SensorSample(1.0)), "performance"),
        "format": "onnx",
        "precision": "fp32",
        "git_commit": "c0ffee",
    }
    return Run(**{**values, **changes})


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Run]:
    return _make_run


@pytest.fixture(autouse=True)
def _stand_in_a_folder_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that a test cannot store is rescued into the current folder."""
    monkeypatch.chdir(tmp_path_factory.mktemp("standing"))
