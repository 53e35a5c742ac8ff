"""Rebuilds the shipped calibrations and docs/latency-model.md from the measurements, in one command.

    python -m benchmarks.latency.rebuild [--csv published.csv]

Without --csv it reads the copy of the measurements in the package. Needs neither torch nor a converter: the networks'
operators are in devices/latency/data/networks.json.gz (see `benchmarks.latency.gather.networks` for how they got there).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.latency.fit_all import rebuild
from benchmarks.latency.gather.instruction_table import fit_tables, read_counts
from benchmarks.latency.gather.rows import read_rows
from benchmarks.latency.page.report import write_page
from eamdeploy.cli.progress import StageLines

ROOT = Path(__file__).parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, help="measurements in the published format (default: the shipped copy)")
    parser.add_argument("--out", type=Path, default=ROOT / "devices/latency/data", help="where the calibrations go")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the page goes")
    options = parser.parse_args()
    rows = read_rows(options.csv)
    tested = rebuild(rows, options.out, StageLines(style=None))
    transfers = json.loads((options.out / "transfers.json").read_text(encoding="utf-8"))
    print(write_page(tested, rows, transfers, fit_tables(read_counts()), options.docs))


if __name__ == "__main__":
    main()
