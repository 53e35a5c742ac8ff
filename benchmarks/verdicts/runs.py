"""Made-up runs in a store, as measurements leave them."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from eamdeploy.base.results import AccuracyResult, Latency, Provenance, Run, RunVerdict, pack_correct
from eamdeploy.runs.gate import GateResult, Thresholds, run_gate
from eamdeploy.runs.store import Store, open_store

ASKED = Thresholds(latency=0.05, accuracy_points=1.0, size=0.05, required=frozenset({"latency", "accuracy", "size"}))
_COUNT = itertools.count()


def latency(median: float = 10.0, seed: int = 0) -> Latency:
    """200 samples in 20 blocks."""
    samples = median * np.exp(0.01 * np.random.default_rng(seed).standard_normal(200))
    return Latency(
        float(np.median(samples)), samples=tuple(samples.tolist()), block=tuple(np.repeat(range(20), 10).tolist())
    )


def accuracy(right: int = 185, n: int = 200, *, images: str | None = "1" * 64, offset: int = 0) -> AccuracyResult:
    """``right`` of ``n`` images of ten classes, which ones turned by ``offset``."""
    correct = np.roll(np.arange(n) < right, offset)
    truth = np.arange(n) % 10
    predicted = np.where(correct, truth, (truth + 1) % 10)
    pairs = Counter(zip(truth.tolist(), predicted.tolist(), strict=True))
    confused = tuple((true, other, count) for (true, other), count in sorted(pairs.items()))
    return AccuracyResult(
        100 * right / n, n, data="d", correct=pack_correct(correct.tolist()), images=images, confused=confused
    )


def moment(number: int) -> str:
    """A minute after the one before."""
    return f"2025-03-{1 + number // 1440:02d}T{number // 60 % 24:02d}:{number % 60:02d}:00+00:00"


def run(**changes: Any) -> Run:
    """A run with everything that a gate can ask for; each is a minute after the one before."""
    number = next(_COUNT)
    values: dict[str, Any] = {
        "id": f"run-{number:05d}",
        "device": "pi4",
        "runtime": "onnxruntime",
        "threads": 4,
        "artifact": "out/net.onnx",
        "artifact_sha256": f"{number:064x}",
        "provenance": Provenance("measured", "Raspberry Pi 4", "onnxruntime", "1.32", moment(number)),
        "verdict": RunVerdict("clean"),
        "latency_ms": latency(seed=number),
        "accuracy": accuracy(),
        "bytes": 1_000_000,
        "precision": "fp32",
        "format": "onnx",
        "git_commit": "c0ffee",
    }
    return Run(**{**values, **changes})


def dated(undated: Run, when: str) -> Run:
    """The same run, measured at another time."""
    return replace(undated, provenance=replace(undated.provenance, when=when))


def store_in(folder: Path, *runs: Run) -> Store:
    """A new store with these runs."""
    store = open_store(folder / f"store-{next(_COUNT)}.db")
    store.append_all([(each, None) for each in runs])
    return store


def gate(folder: Path, old: Run, new: Run, thresholds: Thresholds = ASKED) -> GateResult:
    """One run held against another."""
    store = store_in(folder, *({old.id: old, new.id: new}.values()))
    return run_gate(store, old.id, [new.id], thresholds=thresholds)
