"""Real inferences on this machine, two sessions in turns, as runs that a gate can judge."""

from __future__ import annotations

import hashlib
import platform
import uuid
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

import numpy as np

from benchmarks.gate.models import CHANNELS, PIXELS
from eamdeploy.base.results import Latency, Provenance, Run, RunVerdict


@dataclass(frozen=True)
class LoadedModel:
    """A loaded model; ``session`` is onnxruntime's, with one thread."""

    name: str
    sha256: str
    session: Any


def load(name: str, content: bytes) -> LoadedModel:
    """Load and warm up."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    model = LoadedModel(name, hashlib.sha256(content).hexdigest(), session)
    _burst(model, 20)
    return model


def in_turns(a: LoadedModel, b: LoadedModel, rounds: int, each: int) -> tuple[Run, Run]:
    """``rounds`` rounds of ``each`` inferences a side, the order changing from round to round (ABBA)."""
    times: dict[str, list[float]] = {"a": [], "b": []}
    for index in range(rounds):
        order = (("a", a), ("b", b)) if index % 2 == 0 else (("b", b), ("a", a))
        for side, model in order:
            times[side] += _burst(model, each)
    block = tuple(index // each for index in range(rounds * each))
    group = uuid.uuid4().hex
    return _run(a, times["a"], block, group), _run(b, times["b"], block, group)


def alone(model: LoadedModel, samples: int) -> Run:
    """One session by itself, as a run of another day would be."""
    return _run(model, _burst(model, samples), (), None)


def _burst(model: LoadedModel, count: int) -> list[float]:
    image = np.random.default_rng(1).standard_normal((1, CHANNELS, PIXELS, PIXELS)).astype(np.float32)
    feeds = {"input": image}
    times = []
    for _ in range(count):
        start = perf_counter_ns()
        model.session.run(None, feeds)
        times.append((perf_counter_ns() - start) / 1e6)
    return times


def _run(model: LoadedModel, times: list[float], block: tuple[int, ...], group: str | None) -> Run:
    import onnxruntime

    return Run(
        id=uuid.uuid4().hex,
        device="host",
        runtime="onnxruntime",
        threads=1,
        artifact=f"{model.name}.onnx",
        artifact_sha256=model.sha256,
        provenance=Provenance("measured", platform.node(), "onnxruntime", onnxruntime.__version__),
        verdict=RunVerdict("clean"),
        latency_ms=Latency(float(np.median(times)), samples=tuple(times), block=block),
        group=group,
    )
