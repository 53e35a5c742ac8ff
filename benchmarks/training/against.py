"""Whole training steps of this tree against those of another one, in turns: data, augmentation, network, optimizer, scores.

    python -m benchmarks.training.against OTHER_TREE [--rounds 12] [--steps 5] [--acceleration on]

Each tree trains in a process of its own through ``eamdeploy.training.loop.train``, one thread, and waits while the other one has
its turn. What is compared is processor time, so that other programs on the machine do not count. ``--acceleration`` is this tree's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("turns.py")


def start(tree: Path, conv: str, steps: int, acceleration: str | None) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, str(WORKER), conv, str(steps), *([acceleration] if acceleration else [])]
    return subprocess.Popen(words, cwd=tree, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def turn(worker: subprocess.Popen[str]) -> float:
    """Processor seconds of the steps of one turn."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write("\n")
    worker.stdin.flush()
    line = worker.stdout.readline()
    if not line:
        raise SystemExit("a worker ended before its turn; its error is above")
    return float(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--acceleration")
    arguments = parser.parse_args()
    for conv in ("static", "eam"):
        other = start(arguments.other.resolve(), conv, arguments.steps, None)
        ours = start(HERE, conv, arguments.steps, arguments.acceleration)
        times = [(turn(other), turn(ours)) for _ in range(arguments.rounds + 1)][1:]  # the first one warms up
        for worker in (other, ours):
            worker.kill()
            worker.communicate()
        ratios = sorted(theirs / our_time for theirs, our_time in times)
        rates = [arguments.steps / statistics.median(column) for column in zip(*times, strict=True)]
        print(
            f"{conv}: {rates[0]:.2f} steps a second there, {rates[1]:.2f} here; "
            f"here / there median {statistics.median(ratios):.3f}, range {ratios[0]:.3f} to {ratios[-1]:.3f}",
            flush=True,
        )


main()
