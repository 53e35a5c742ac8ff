"""How well dynamic networks are estimated from static ones, on this machine.

    python -m benchmarks.latency.dynamic FOLDER... [--seconds 100]

Takes every float artifact (.onnx, .tflite) in the folders. Static networks are fitted, once all of them and once the
smallest and the largest; dynamic ones are predicted and compared with what they take here, one thread, batch 1. All are run
in turns, and the least time counts: another program's turn must not be mistaken for a network's.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from devices.latency.calibrate.refit import population_priors
from devices.latency.estimate.estimate import FORMAT_RUNTIMES
from devices.latency.graph.extract import extract_features
from devices.latency.graph.records import ArtifactFeatures
from devices.latency.model.fit.conformal import quantile
from devices.latency.model.model import fit_model
from devices.latency.model.terms import term_matrix
from runtimes.protocol import RuntimeOptions
from runtimes.registry import get_runtime

LONGEST_MS = 3.5  # a longer run is interrupted on a busy machine however often it is repeated


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=100, help="to measure for, each runtime")
    options = parser.parse_args()
    errors: list[float] = []
    for suffix, runtime in FORMAT_RUNTIMES.items():
        files = distinct(p for folder in options.folders for p in sorted(folder.rglob(f"*.{suffix}")))
        times = least_times(files, runtime, options.seconds)
        errors += compare([(f, t) for (_, f), t in zip(files, times, strict=True) if t <= LONGEST_MS], runtime)
    if errors:
        factor = np.exp(quantile(abs(e) for e in errors))
        print(f"{len(errors)} predictions, bias {100 * np.expm1(-np.mean(errors)):+.0f} %, 90 % within x{factor:.2f}")


def distinct(paths: Iterable[Path]) -> list[tuple[Path, ArtifactFeatures]]:
    """Float artifacts with different operators."""
    by_features: dict[tuple[float, ...], tuple[Path, ArtifactFeatures]] = {}
    for path in paths:
        features = extract_features(path)
        if features.precision == "fp32":
            by_features.setdefault(tuple(term_matrix(features.records).sum(0).round(6)), (path, features))
    return list(by_features.values())


def least_times(files: Sequence[tuple[Path, ArtifactFeatures]], runtime: str, seconds: float) -> list[float]:
    """Milliseconds of each, run in turns."""
    sessions = [get_runtime(runtime).load(path, RuntimeOptions(threads=1)) for path, _ in files]
    noise = np.random.default_rng(0)
    calls = [
        s.timed_call({i.name: noise.random([n or 1 for n in i.shape], dtype=np.float32) for i in s.inputs})
        for s in sessions
    ]
    least = [float("inf")] * len(files)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for i, call in enumerate(calls):
            start = time.perf_counter_ns()
            call()
            least[i] = min(least[i], (time.perf_counter_ns() - start) / 1e6)
    return least


def compare(measured: Sequence[tuple[ArtifactFeatures, float]], runtime: str) -> list[float]:
    """log(measured / predicted) of every dynamic network, by both fits."""
    static = [(f, t) for f, t in measured if not f.is_dynamic]
    dynamic = [(f, t) for f, t in measured if f.is_dynamic]
    if len(static) < 2 or not dynamic:
        return []
    totals = np.stack([term_matrix(f.records).sum(0) for f, _ in static])
    logs = np.log([t for _, t in static])
    by_size = np.argsort([f.macs for f, _ in static])
    errors = []
    for subset in (by_size, by_size[[0, -1]]):
        model = fit_model(totals[subset], logs[subset], np.ones(len(subset)), population_priors("tflite-fp32"))
        for f, t in dynamic:
            expected = float(np.exp(model.predict(term_matrix(f.records).sum(0, keepdims=True)).log_ms[0]))
            errors.append(float(np.log(t / expected)))
            print(
                f"{runtime}, {len(subset)} static: {f.name}, {len(f.records)} operators: {t:.3f} ms, expected {expected:.3f}"
            )
    return errors


if __name__ == "__main__":
    main()
