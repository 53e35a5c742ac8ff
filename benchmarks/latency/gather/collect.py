"""Gathers published measurements into benchmarks/latency/data/published.csv.gz, which a rebuild reads.

    python -m benchmarks.latency.gather.collect --data DIR

DIR holds `published.csv`, and under `more/` `new_published.csv`, `nb201_raspi4.csv` and `fbnet_raspi4_blocks.csv`. Left out:
rows that their notes call an outlier or suspect; NAS-Bench-201 networks whose executed graph is not certain; FBNet blocks
that are not told apart from the block they are compared with.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.latency.gather.rows import COLUMNS
from eamdeploy.base.files import atomic_write_bytes

TARGET = Path(__file__).parents[1] / "data" / "published.csv.gz"
DOUBTFUL = ("OUTLIER", "SUSPECT")
SMALL = {"board": "Raspberry Pi 4B", "cpu_or_gpu": "cpu", "runtime": "TFLite", "precision": "fp32", "threads": ""}
HW_NAS_BENCH = "github:GATECH-EIC/HW-NAS-Bench HW-NAS-Bench-v1_0.pickle"


def published(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a CSV in the published format."""
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if any(word in row["notes"] for word in DOUBTFUL):
                continue
            source = " ".join(row[k] for k in ("source_repo_or_url", "source_path", "commit_or_date") if row[k])
            least = re.search(r"\bmin=[\d.]+", row["notes"]) if row["runtime"].startswith("ncnn") else None
            yield {k: row[k] for k in COLUMNS} | {"notes": least[0] if least else "", "source": source}


def nas_bench_201(path: Path) -> Iterator[dict[str, str]]:
    """Whole small networks; what a cell executes stands in the width."""
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["status"] in ("plain", "pruned"):
                width = "-".join(row[k] for k in ("n_conv3x3", "n_conv1x1", "n_pool", "n_add"))
                yield _small("nb201", width, "32", row["latency_ms"], "NAS-Bench-201")


def fbnet_blocks(path: Path) -> Iterator[dict[str, str]]:
    """Single blocks beside an empty one: channels and block stand in the width."""
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["skip_block_is"] == "identity" and "_g" not in row["block"]:
                width = f"{row['channels_in']}-{row['channels_out']}-{row['block']}"
                yield _small("fbnet", width, row["input"].partition("x")[0], row["latency_minus_skip_ms"], "FBNet")


def _small(model: str, width: str, px: str, milliseconds: str, where: str) -> dict[str, str]:
    row = {"model": model, "width": width, "input_px": px, "latency_ms": f"{float(milliseconds):.5g}"}
    return SMALL | row | {"runtime_version": "", "notes": "", "source": f"{HW_NAS_BENCH} {where}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    more = options.data / "more"
    rows = [
        *published(options.data / "published.csv"),
        *published(more / "new_published.csv"),
        *nas_bench_201(more / "nb201_raspi4.csv"),
        *fbnet_blocks(more / "fbnet_raspi4_blocks.csv"),
    ]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [*COLUMNS, "notes", "source"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    atomic_write_bytes(options.out, gzip.compress(text.getvalue().encode(), mtime=0))
    print(options.out, len(rows), "rows")


if __name__ == "__main__":
    main()
