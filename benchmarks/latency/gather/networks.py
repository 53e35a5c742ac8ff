"""Writes devices/latency/data/networks.json.gz: the operators of every measured network.

    python -m benchmarks.latency.gather.networks --csv published.csv --files DIR

DIR holds what `python -m benchmarks.latency.gather.artifacts` exported. A network the project builds is read from its files;
one it does not build is taken from the written lists, and so is one whose files are missing: the entry says which.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.latency.gather.artifacts import file_name, spec_for
from benchmarks.latency.gather.measured_networks import pack
from benchmarks.latency.gather.rows import read_rows
from benchmarks.latency.zoo import build
from devices.latency.graph.extract import extract_features
from eamdeploy.base.files import atomic_write_bytes

TARGET = Path(__file__).parents[1] / "data" / "networks.json.gz"
SUFFIXES = {"onnx": ".onnx", "tflite": ".tflite", "tflite-int8": "-int8.tflite"}
Entries = dict[tuple[str, str, str], dict[str, Any]]


def entry(key: tuple[str, str, str], files: Path | None, before: dict[str, Any] | None) -> dict[str, Any] | None:
    """One network's line: from exported files, else what stood there before, else from the written lists."""
    model, width, input_px = key
    head = {"model": model, "width": width, "input_px": input_px}
    fields = spec_for(model, width, input_px)
    if fields and files:
        name = file_name(fields)
        document = {
            form: p
            for form, end in SUFFIXES.items()
            for p in (files / f"{name}{end}", files / name / f"{name}{end}")
            if p.is_file()
        }
        if document:
            operators = {form: pack(extract_features(p).records) for form, p in document.items()}
            operators_before = before["operators"] if before and before["source"] == "exported files" else {}
            return head | {"source": "exported files", "operators": operators_before | operators}
    if before and before["source"] == "exported files":
        return before
    try:
        return head | {"source": "operator list", "operators": {"list": pack(build(model, width, input_px).records)}}
    except (KeyError, ValueError):
        return None


def read_entries(path: Path) -> Entries:
    """What was written before; nothing where there is no file."""
    if not path.is_file():
        return {}
    document = json.loads(gzip.decompress(path.read_bytes()))
    return {(e["model"], e["width"], e["input_px"]): e for e in document["networks"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=Path, help="exported artifacts; without it those read before are kept")
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    before = read_entries(options.out)
    networks = sorted({row.network for row in read_rows()})
    entries = [e for key in networks if (e := entry(key, options.files, before.get(key))) is not None]
    text = json.dumps(
        {"schema_version": 1, "fields": "see benchmarks.latency.gather.measured_networks", "networks": entries},
        separators=(",", ":"),
    )
    # mtime 0: the same input gives the same bytes
    atomic_write_bytes(options.out, gzip.compress(text.encode(), mtime=0))
    print(options.out, dict(Counter(e["source"] for e in entries)))
    unknown = sorted({k[0] for k in networks} - {e["model"] for e in entries})
    print("not written down:", ", ".join(unknown))


if __name__ == "__main__":
    main()
