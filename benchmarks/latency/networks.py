"""Writes devices/latency/data/networks.json.gz: the operators of every measured network.

    python -m benchmarks.latency.networks --csv published.csv --files DIR

DIR holds what `python -m benchmarks.latency.artifacts` exported. A network the project builds is read from its files;
one it does not build is taken from the written lists, and so is one whose files are missing: the entry says which.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.latency.artifacts import file_name, spec_for
from benchmarks.latency.measured_networks import FORMATS, pack
from benchmarks.latency.zoo import build
from devices.latency.graph.extract import extract_features
from eamdeploy.base.files import atomic_write_bytes

TARGET = Path(__file__).parents[2] / "devices/latency/data/networks.json.gz"


def entry(model: str, width: str, input_px: str, files: Path) -> dict[str, Any]:
    """One network's line."""
    fields = spec_for(model, width, input_px)
    paths = {form: files / f"{file_name(fields)}.{form}" for form in FORMATS} if fields else {}
    if paths and all(p.is_file() for p in paths.values()):
        operators = {form: pack(extract_features(p).records) for form, p in paths.items()}
        return {
            "model": model,
            "width": width,
            "input_px": input_px,
            "source": "exported files",
            "operators": operators,
        }
    operators = {"list": pack(build(model, width, input_px).records)}
    return {"model": model, "width": width, "input_px": input_px, "source": "operator list", "operators": operators}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--files", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    with options.csv.open(newline="", encoding="utf-8") as file:
        wanted = sorted({(r["model"], r["width"], r["input_px"]) for r in csv.DictReader(file)})
    entries = [entry(*key, options.files) for key in wanted]
    text = json.dumps(
        {"schema_version": 1, "fields": "see benchmarks.latency.measured_networks", "networks": entries},
        separators=(",", ":"),
    )
    # mtime 0: the same input gives the same bytes
    atomic_write_bytes(options.out, gzip.compress(text.encode(), mtime=0))
    print(options.out, dict(Counter(e["source"] for e in entries)))


if __name__ == "__main__":
    main()
