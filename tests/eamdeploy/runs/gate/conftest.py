"""Runs as measurements leave them, made up: each a minute after the one before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eamdeploy.base.results import AccuracyResult, Latency, Provenance, Run, RunVerdict, pack_correct
from eamdeploy.runs.store import Store, open_store


def latency(median: float, seed: int = 0, spread: float = 0.01) -> Latency:
    samples = median * np.exp(spread * np.random.default_rng(seed).standard_normal(200))
    return Latency(
        float(np.median(samples)), samples=tuple(samples.tolist()), block=tuple(np.repeat(range(20), 10).tolist())
    )


def accuracy(right: int, n: int = 1000, *, images: str | None = "1" * 64, classes: int = 10) -> AccuracyResult:
    """The first ``right`` of ``n`` images are right, each class as often as the others."""
    correct = np.arange(n) < right
    truth = np.arange(n) % classes
    answers = np.where(correct, truth, (truth + 1) % classes)
    confused = sorted(Counter(zip(truth.tolist(), answers.tolist(), strict=True)).items())
    return AccuracyResult(
        100 * right / n,
        n,
        data="d",
        correct=pack_correct(correct.tolist()),
        images=images,
        confused=tuple((true, other, count) for (true, other), count in confused),
    )


@pytest.fixture
def make() -> Callable[..., Run]:
    count = iter(range(10_000))

    def build(**changes: Any) -> Run:
        number = next(count)
        when = f"2026-11-22T{12 + number // 60:02d}:{number % 60:02d}:00+00:00"
        values: dict[str, Any] = {
            "id": f"run-{number:04d}",
            "device": "pi4",
            "runtime": "onnxruntime",
            "threads": 4,
            "artifact": "out/net.onnx",
            "artifact_sha256": "ab" * 32,
            "provenance": Provenance("measured", "Raspberry Pi 4", "onnxruntime", "1.32", when),
            "verdict": RunVerdict("clean"),
            "git_commit": "c0ffee",
        }
        return Run(**{**values, **changes})

    return build


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "runs.db")
