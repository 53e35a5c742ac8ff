"""Static, DyNet and EAM networks trained alike on CIFAR-10, several seeds each, and how much their attention moves.

    python -m benchmarks.accuracy --root DIR [--epochs 4] [--seeds 0,1] [--threads 1] [--out out/accuracy]

``DIR`` is a ``cifar-10-batches-py`` folder or an image tree of CIFAR-10 with ``train`` and ``test``. A stopped run goes on
where it was. Seeds come in turn, so that an early stop leaves a whole comparison with fewer seeds.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.accuracy.table import tables
from benchmarks.accuracy.variants import VARIANTS, run
from eamdeploy.base.files import atomic_write_text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("out/accuracy"))
    options = parser.parse_args()
    rows = []
    for seed in options.seeds.split(","):
        for variant in VARIANTS:
            row = run(
                variant, int(seed), root=options.root, epochs=options.epochs, threads=options.threads, out=options.out
            )
            print(f"{variant.name}, seed {seed}: {row['top1']:.2f} %", flush=True)
            rows.append(row)
            atomic_write_text(options.out / "results.json", json.dumps(rows, indent=2) + "\n")
            atomic_write_text(options.out / "results.md", tables(rows))
    print(tables(rows))


main()
