"""Latency in turns, accuracy on the test images, instructions on the emulated board."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.frontier.variants import cli
from eamdeploy.data import ImageDataset
from eamdeploy.data.preprocessing import Preprocessing
from runtimes.protocol import RuntimeOptions, Session
from runtimes.readers.metadata import read_metadata
from runtimes.registry import runtime_for

INNER = 5  # calls in a turn; the quickest counts, so that a neighbour's burst does not
BATCH = 250


def _feeds(session: Session) -> dict[str, Any]:
    tensor = session.inputs[0]
    shape = [size or 1 for size in tensor.shape]
    generator = np.random.default_rng(0)
    if tensor.dtype.startswith("float"):
        return {tensor.name: generator.standard_normal(shape).astype(tensor.dtype)}
    return {tensor.name: generator.integers(-100, 100, shape).astype(tensor.dtype)}


def latencies(paths: Sequence[Path], rounds: int) -> list[dict[str, float]]:
    """Each artifact in turn, ``rounds`` times, one thread; ratios are to the first, taken within each round."""
    sessions = [runtime_for(path).load(path, RuntimeOptions(threads=1)) for path in paths]
    calls = [session.timed_call(_feeds(session)) for session in sessions]
    for call in calls:
        for _ in range(INNER):
            call()
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call_times, call in zip(times, calls, strict=True):
            best = float("inf")
            for _ in range(INNER):
                started = time.perf_counter_ns()
                call()
                best = min(best, (time.perf_counter_ns() - started) / 1e6)
            call_times.append(best)
    for session in sessions:
        session.close()
    return [
        {
            "p10_ms": float(np.percentile(call_times, 10)),
            "p50_ms": median(call_times),
            "ratio": median(series / first for series, first in zip(call_times, times[0], strict=True)),
        }
        for call_times in times
    ]


def answers(path: Path, data: ImageDataset) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(top-1 answers, labels) of an artifact over a data set."""
    metadata = read_metadata(path)
    preprocessing = Preprocessing.from_dict(dict(metadata.preprocessing or {}))
    session = runtime_for(path).load(path, RuntimeOptions(threads=1))
    outputs = []
    for start in range(0, len(data), BATCH):
        images = [data.image(index) for index in range(start, min(start + BATCH, len(data)))]
        outputs.append(session.run(preprocessing.apply_batch(images))[0].argmax(1))
    session.close()
    return np.concatenate(outputs), np.array([data.label(index) for index in range(len(data))])


def instructions(path: Path, device: str) -> float | None:
    """Of one inference on the emulated ``device``."""
    run = cli("bench", str(path), "--device", device, "--instructions")["runs"][0]
    count = run.get("instructions") or (run.get("extra") or {}).get("instructions")
    return None if count is None else float(count)
