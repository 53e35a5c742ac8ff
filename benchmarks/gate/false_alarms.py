"""How often the gate fails for nothing, and how often it catches a true slowdown of a tenth, on this machine.

    python -m benchmarks.gate.false_alarms --comparisons 200 --out benchmarks/gate/results.json

Every comparison is of real onnxruntime runs: A against A (two sessions of one model), and A against the same model with
an eleventh layer of equal size. Sessions that were not interleaved are judged too, in pairs far apart in time, as a
machine's first two.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.gate.measuring import alone, in_turns, load
from benchmarks.gate.models import LAYERS, plain_network
from eamdeploy.base.intervals import share_interval
from eamdeploy.base.results import Run
from eamdeploy.runs.compare import compare_runs
from eamdeploy.runs.gate import Thresholds, judge
from eamdeploy.runs.gate.run import ASSUMED_SESSION_NOISE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comparisons", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--each", type=int, default=3)
    parser.add_argument("--threshold", type=float, default=0.05)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    limits = Thresholds(latency=options.threshold)
    a, again = (load("a", plain_network()) for _ in range(2))
    slower = load("slower", plain_network(LAYERS + 1))
    start, load_before = perf_counter(), os.getloadavg()[0]
    same, true, sessions, slow_sessions = [], [], [], []
    for _ in range(options.comparisons):
        same.append(_judged(*in_turns(a, again, options.rounds, options.each), limits))
        true.append(_judged(*in_turns(a, slower, options.rounds, options.each), limits))
        sessions.append(alone(a, options.rounds * options.each))
        slow_sessions.append(alone(slower, options.rounds * options.each))
    document = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {load_before:.1f} to {os.getloadavg()[0]:.1f}",
        "comparisons": options.comparisons,
        "rounds": options.rounds,
        "inferences_per_round_and_side": options.each,
        "threshold": options.threshold,
        "seconds": round(perf_counter() - start, 1),
        "a_against_a": _summary(same),
        "a_against_slower": _summary(true),
        "not_interleaved_a_against_a": _summary(_far_apart(sessions, sessions, limits)),
        "not_interleaved_a_against_slower": _summary(_far_apart(sessions, slow_sessions, limits)),
    }
    text = json.dumps(document, indent=2)
    print(text)
    if options.out is not None:
        options.out.write_text(text + "\n")


def _judged(a: Run, b: Run, limits: Thresholds) -> tuple[bool, float, float, float]:
    comparison = compare_runs(a, b, session_noise=ASSUMED_SESSION_NOISE)
    (check,) = judge(comparison, limits)
    change = comparison.change("latency_ms.p50")
    assert change is not None
    return check.failed, change.change, change.low, change.high


def _far_apart(a: Sequence[Run], b: Sequence[Run], limits: Thresholds) -> list[tuple[bool, float, float, float]]:
    """Each session against the one measured half the benchmark later."""
    count = len(a)
    return [_judged(a[index], b[(index + count // 2) % count], limits) for index in range(count)]


def _summary(judged: Sequence[tuple[bool, float, float, float]]) -> dict[str, object]:
    failed = sum(judgement[0] for judgement in judged)
    changes = np.array([judgement[1:] for judgement in judged])
    middle = float(np.median(changes[:, 0]))
    low, high = share_interval(failed / len(judged), len(judged))
    return {
        "failed": failed,
        "of": len(judged),
        "rate": round(failed / len(judged), 4),
        "rate_interval95": [round(low, 4), round(high, 4)],
        "median_change": round(middle, 4),
        "interval_half_width_median": round(float(np.median((changes[:, 2] - changes[:, 1]) / 2)), 4),
        "intervals_that_hold_the_median_change": round(
            float(np.mean((changes[:, 1] <= middle) & (middle <= changes[:, 2]))), 4
        ),
    }


if __name__ == "__main__":
    main()
