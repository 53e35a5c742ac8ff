"""Static, DyNet and EAM networks compared on CIFAR-10, as well as the given minutes on one device allow.

    python -m benchmarks.accuracy.scale --root DIR --minutes 9 [--replicas 12] [--out out/accuracy-scale]

On a GPU: MobileNetV1 x0.25 and x0.5, then x1.0, at least 60 epochs, three seeds of static and EAM, one and more of the others.
On a CPU: x0.25, 12 epochs, two seeds of static and EAM, then the others. The recipe is the paper's; the learning rate steps at the
same share of the epochs. Rows are written as they come. Run the same command again to continue after the last whole epoch of each.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from pathlib import Path

import torch

from benchmarks.accuracy.scale.images import decode
from benchmarks.accuracy.scale.plan import SCOPES, Job, Scope, epochs_that_fit, jobs_of
from benchmarks.accuracy.scale.pool import results
from benchmarks.accuracy.scale.rows import Row
from benchmarks.accuracy.scale.table import tables
from benchmarks.accuracy.scale.work import Setting, run, seconds_per_epoch
from eamdeploy.base.files import atomic_write_text
from eamdeploy.training.device.acceleration import NAMES


def main() -> None:
    started = time.monotonic()
    on_gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="CIFAR-10's Python folder, or a tree of its images")
    parser.add_argument("--minutes", type=float, required=True, help="wall-clock limit of this call")
    parser.add_argument("--out", type=Path, default=Path("out/accuracy-scale"))
    parser.add_argument("--replicas", type=int, default=12 if on_gpu else 1, help="networks trained side by side")
    parser.add_argument("--epochs", type=int, help="instead of as many as fit")
    parser.add_argument("--seeds", type=int, help="at most so many")
    parser.add_argument("--arithmetic", default="bf16-mixed" if on_gpu else "32-true")
    parser.add_argument("--acceleration", choices=NAMES, default="auto")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each network")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    setting = Setting(
        options.out, started + 60 * options.minutes, options.arithmetic, options.acceleration, threads=options.threads
    )
    decode(options.root, setting.images)
    scope = SCOPES["cuda" if on_gpu else "cpu"]
    epochs = options.epochs or _epochs(scope, setting, options.replicas)
    jobs = jobs_of(scope, epochs, options.seeds)
    print(f"{len(jobs)} jobs of {epochs} epochs, {options.replicas} at a time", flush=True)
    rows: list[Row] = []
    for job, row in results(functools.partial(run, setting=setting), jobs, options.replicas):
        if row is None:
            continue
        print(f"{job.folder}: {row.top1:.2f} %", flush=True)
        rows.append(row)
        _write(options.out, rows)
    print(f"{len(rows)} of {len(jobs)} jobs done")
    if rows:
        print(tables(rows))


def _epochs(scope: Scope, setting: Setting, replicas: int) -> int:
    """As many as fit; a call that goes on keeps those of the one before."""
    epochs_file = setting.out / "epochs.json"
    if epochs_file.is_file():
        return int(json.loads(epochs_file.read_text(encoding="utf-8")))
    epochs = scope.shortest
    if scope.shortest < scope.longest:
        kinds = list(dict.fromkeys(kind for kind, _ in scope.jobs[: scope.needed]))
        probes = [Job(kind, 0, scope.shortest) for kind in kinds]
        timed = results(functools.partial(seconds_per_epoch, setting=setting), probes, replicas)
        epoch_s = {job.kind: seconds for job, seconds in timed}
        epochs = epochs_that_fit(scope, setting.deadline - time.monotonic(), epoch_s, replicas)
    atomic_write_text(epochs_file, json.dumps(epochs) + "\n")
    return epochs


def _write(out: Path, rows: list[Row]) -> None:
    """The rows so far, and their tables."""
    atomic_write_text(out / "results.json", json.dumps([vars(row) for row in rows], indent=2) + "\n")
    atomic_write_text(out / "results.md", tables(rows))


if __name__ == "__main__":
    main()
