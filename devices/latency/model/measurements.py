"""Published latencies, read from the CSV and grouped by the conditions they were made under and by network."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from eamdeploy.base.errors import UsageError

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
FAMILIES = (  # the first that the name starts with
    ("mobilenet_v1", "mobilenet_v1"), ("mobilenet_v2", "mobilenet_v2"), ("mobilenet_v3", "mobilenet_v3"),
    ("efficientnet_lite", "efficientnet_lite"), ("efficientnetv2", "efficientnet_v2"), ("efficientnet", "efficientnet"),
    ("inception_resnet", "inception"), ("inception", "inception"), ("googlenet", "inception"), ("resnext", "resnext"),
    ("resnet", "resnet"), ("vgg", "vgg"), ("densenet", "densenet"), ("squeezenet", "squeezenet"),
    ("shufflenet_v1", "shufflenet_v1"), ("shufflenet_v2", "shufflenet_v2"),
)  # fmt: skip

Network = tuple[str, str, str]


def family(model: str) -> str:
    """What is left out together: all widths, sizes and variants of a design; an unknown name is its own family."""
    return next((group for start, group in FAMILIES if model.startswith(start)), model)


@dataclass(frozen=True)
class Conditions:
    """What a calibration is for."""

    board: str
    processor: str
    runtime: str
    version: str
    precision: str
    threads: str

    @property
    def name(self) -> str:
        """A file's name."""
        parts = (
            self.board,
            self.runtime,
            self.version,
            self.processor,
            self.precision,
            self.threads and f"t{self.threads}",
        )
        return re.sub(r"[^a-z0-9.]+", "-", "_".join(p for p in parts if p).lower()).strip("-")


@dataclass(frozen=True)
class Row:
    """One measurement."""

    conditions: Conditions
    network: Network
    milliseconds: float
    source: str

    @property
    def family(self) -> str:
        """Of the network."""
        return family(self.network[0])


def read_rows(path: Path | None = None) -> list[Row]:
    """Read a CSV in the published format, or the copy that is shipped.

    A publisher's `min=` in the notes is preferred where the runtime prints a mean over few runs next to it (ncnn).

    Raises:
        UsageError: when the file can't be read, lacks a column, or holds a latency that is no positive number.
    """
    try:
        if path is None:
            data = gzip.decompress(resources.files("devices.latency").joinpath("data/published.csv.gz").read_bytes())
        else:
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


def _row(r: dict[str, str], number: int, path: Path | None) -> Row:
    ncnn = r["runtime"].startswith("ncnn")
    least = re.search(r"\bmin=([\d.]+)", r.get("notes") or "") if ncnn else None
    text = least[1] if least else r["latency_ms"]
    try:
        milliseconds = float(text)
        if not milliseconds > 0:
            raise ValueError("not positive")
    except ValueError as error:
        raise UsageError(
            "a latency is no positive number", where=f"{path or 'shipped measurements'} line {number}", why=f"'{text}'"
        ) from error
    conditions = Conditions(
        r["board"], r["cpu_or_gpu"], _runtime(r["runtime"]), r["runtime_version"], r["precision"], r["threads"]
    )
    source = r.get("source") or " ".join(
        x for x in (r.get("source_repo_or_url"), r.get("source_path"), r.get("commit_or_date")) if x
    )
    return Row(conditions, (r["model"], r["width"], r["input_px"]), milliseconds, source)


def _runtime(name: str) -> str:
    # ruy is the matrix library of TFLite's built-in kernels, named by one publisher and not by the others
    return "TFLite" if name == "TFLite-ruy" else name


def group(rows: Iterable[Row]) -> dict[Conditions, list[Row]]:
    """Rows by conditions."""
    groups: dict[Conditions, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.conditions, []).append(row)
    return groups
