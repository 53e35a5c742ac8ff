"""Published latencies, read from the CSV and grouped by the conditions they were made under and by network."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from devices.latency.model.measurements import STATED, MeasurementConditions, Network, family
from eamdeploy.base.errors import UsageError

PUBLISHED = Path(__file__).parents[1] / "data" / "published.csv.gz"
COLUMNS = (
    "board",
    "cpu_or_gpu",
    "runtime",
    "runtime_version",
    "model",
    "width",
    "input_px",
    "precision",
    "threads",
    "latency_ms",
)


@dataclass(frozen=True)
class LatencyRow:
    """One measurement."""

    conditions: MeasurementConditions
    network: Network
    milliseconds: float
    source: str
    threads: int = 0

    @property
    def family(self) -> str:
        """Of the network."""
        return family(self.network[0])


def read_rows(path: Path | None = None) -> list[LatencyRow]:
    """Read a CSV in the published format, or the gathered ones.

    A publisher's `min=` in the notes is preferred where the runtime prints a mean over few runs next to it (ncnn).

    Raises:
        UsageError: when the file can't be read, lacks a column, or holds a latency that is no positive number.
    """
    try:
        path = PUBLISHED if path is None else path
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        reader = csv.DictReader(io.StringIO(data.decode("utf-8")))
        missing = [c for c in COLUMNS if c not in (reader.fieldnames or ())]
        if missing:
            raise UsageError(
                "the measurements lack a column",
                where=path,
                why=f"no '{missing[0]}'",
                hint=f"expected: {', '.join(COLUMNS)}",
            )
        return [_row(r, number, path) for number, r in enumerate(reader, start=2)]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("cannot read the measurements", where=path, why=error) from error


def _row(r: dict[str, str], number: int, path: Path) -> LatencyRow:
    ncnn = r["runtime"].startswith("ncnn")
    least = re.search(r"\bmin=([\d.]+)", r.get("notes") or "") if ncnn else None
    text = least[1] if least else r["latency_ms"]
    try:
        milliseconds = float(text)
        if not milliseconds > 0:
            raise ValueError("not positive")
    except ValueError as error:
        raise UsageError("a latency is no positive number", where=f"{path} line {number}", why=f"'{text}'") from error
    # a float16 file of TFLite computes in float32: its weights are widened when it is loaded
    precision = "fp32" if r["runtime"].startswith("TFLite") and r["precision"] == "fp16" else r["precision"]
    threads = int(match[0]) if (match := re.match(r"\d+", r["threads"])) else 0
    stated = STATED if threads and r["cpu_or_gpu"] == "cpu" else ""
    conditions = MeasurementConditions(
        r["board"],
        r["cpu_or_gpu"],
        runtime=_runtime(r["runtime"]),
        version=r["runtime_version"],
        precision=precision,
        threads=stated,
    )
    source = r.get("source") or " ".join(
        x for x in (r.get("source_repo_or_url"), r.get("source_path"), r.get("commit_or_date")) if x
    )
    return LatencyRow(conditions, (r["model"], r["width"], r["input_px"]), milliseconds, source, threads)


def _runtime(name: str) -> str:
    # ruy is the matrix library of TFLite's built-in kernels, named by one publisher and not by the others
    return "TFLite" if name == "TFLite-ruy" else name


def group(rows: Iterable[LatencyRow]) -> dict[MeasurementConditions, list[LatencyRow]]:
    """Rows by conditions."""
    groups: dict[MeasurementConditions, list[LatencyRow]] = {}
    for row in rows:
        groups.setdefault(row.conditions, []).append(row)
    return groups
