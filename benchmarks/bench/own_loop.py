"""Does `eamdeploy bench` measure what a plain loop around onnxruntime measures, and does it agree with itself?

    python -m benchmarks.bench.own_loop [MODEL.onnx] [--rounds 10] [--out FILE]

Each round times the model in a plain loop in a process of its own, then with the command, in an order that changes from
round to round: the ratio of the two is what counts. The command's self-check (A against A) is run as often.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.gate.models import plain_network

_LOOP = """
import sys, time, numpy as np, onnxruntime as ort
options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
(wanted,) = session.get_inputs()
shape = [size if isinstance(size, int) else 1 for size in wanted.shape]
feeds = {wanted.name: np.random.default_rng(0).standard_normal(shape).astype(np.float32)}
for _ in range(50):
    session.run(None, feeds)
times = []
for _ in range(int(sys.argv[2])):
    start = time.perf_counter_ns()
    session.run(None, feeds)
    times.append(time.perf_counter_ns() - start)
print(np.median(times) / 1e6)
"""


def own_loop(model: Path, runs: int) -> float:
    """Median milliseconds of ``runs`` inferences in a plain loop."""
    return float(_output([sys.executable, "-c", _LOOP, str(model), str(runs)]))


def command(model: Path, runs: int) -> float:
    """The median that the command reports."""
    document = json.loads(_output(_bench(model, runs)))
    return float(document["runs"][0]["latency_ms"]["p50"])


def agrees(model: Path, runs: int) -> bool:
    """Whether the intervals of the same file measured twice overlap."""
    document = json.loads(_output([*_bench(model, runs), "--self-check"]))
    return bool(document["self_checks"][0]["agree"])


def _bench(model: Path, runs: int) -> list[str]:
    options = ["--runs", str(runs), "--no-accuracy", "--no-store", "--json"]
    return [sys.executable, "-m", "eamdeploy", "bench", str(model), *options]


def _output(command: list[str]) -> str:
    # exit code 5 says that the machine was too restless for a valid figure; the ratio is still one
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 5):
        sys.exit(done.stderr)
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or Path(folder, "plain.onnx")
        if options.model is None:
            model.write_bytes(plain_network())
        ours, theirs, agreed = [], [], 0
        for index in range(options.rounds):
            steps = [(theirs, own_loop), (ours, command)]
            for loop_measure, measure in steps if index % 2 == 0 else reversed(steps):
                loop_measure.append(measure(model, options.runs))
            agreed += agrees(model, options.runs)
    ratios = np.array(ours) / np.array(theirs)
    document = {
        "model": model.name,
        "rounds": options.rounds,
        "runs": options.runs,
        "load": round(os.getloadavg()[0], 1),
        "command_ms": round(float(np.median(ours)), 4),
        "own_loop_ms": round(float(np.median(theirs)), 4),
        "ratio": round(float(np.median(ratios)), 3),
        "ratios": [round(float(ratio), 3) for ratio in ratios],
        "self_checks_that_agree": agreed,
    }
    text = json.dumps(document, indent=2)
    print(text)
    if options.out is not None:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
