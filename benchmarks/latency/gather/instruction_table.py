"""Costs of operators in instructions, fitted to counts on an emulated board; and how well they foresee what was left out.

    python -m benchmarks.latency.gather.instruction_table --runs BENCH.json --files DIR

adds what `eamdeploy bench ... --device pi4 --instructions --json` counted to benchmarks/latency/data/instructions.json; the fit
itself is part of a rebuild. What LiteRT counted with `--no-xnnpack` is kept as another runtime.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from devices.latency.graph.extract import extract_features
from devices.latency.model.fit.conformal import quantile
from devices.latency.model.fit.fitting import Prior, Sample, fit_one
from devices.latency.model.hardware import board_of, instruction_set
from devices.latency.model.instructions import (
    BASE,
    BUILT_IN,
    COMMON_TABLE,
    COUNTED,
    InstructionTable,
    file_terms,
    operators_key,
)
from eamdeploy.base.files import atomic_write_text
from runtimes.readers.artifact_files import artifact_sha256

Array = npt.NDArray[np.float64]
LEAST = 5  # counts that a table needs
IMPORTED = "imported"  # of no architecture that this project knows: its file's name says which design
COUNTS = Path(__file__).parents[1] / "data" / "instructions.json"
# log millions of instructions for a unit of each term, before any count, believed to within a factor e
START = {
    "macs": -1.0, "grouped_macs": 0.5, "depthwise_macs": 0.2, "patches": 0.0, "conv_in": 0.0,
    "conv_out": 0.0, "element": 0.0, "weights": -1.0, "windows": 0.0, "operators": -5.0, "aggregation_macs": -0.7,
    "attention_macs": 0.7, "computed_depthwise_macs": 0.7, "small_moved": -0.5, "small_operators": -5.0, "quantized": 0.7,
}  # fmt: skip


@dataclass(frozen=True)
class InstructionCount:
    """One artifact's instructions.

    Attributes:
        design: of the network, what is left out together.
        millions: of one inference.
        terms: see `devices.latency.model.instructions`.
        float_terms: the same of the float operators in an int8 file, which are none of `terms`.
    """

    name: str
    runtime: str
    version: str
    precision: str
    design: str
    dynamic: bool
    millions: float
    terms: tuple[float, ...]
    float_terms: tuple[float, ...] = ()
    instruction_set: str = BASE


@dataclass(frozen=True)
class TestedTable:
    """A fitted table with what it was tested on: log(predicted / counted), of static designs and of dynamic networks left out."""

    table: InstructionTable
    static_errors: tuple[float, ...]
    dynamic_errors: tuple[float, ...]


def read_counts(path: Path = COUNTS) -> list[InstructionCount]:
    """All counts."""
    entries = json.loads(path.read_text(encoding="utf-8"))
    return [InstructionCount(**e | {k: tuple(e[k]) for k in ("terms", "float_terms")}) for e in entries]


def fit_tables(counts: Sequence[InstructionCount]) -> list[TestedTable]:
    """One table for each runtime and precision with enough counts."""
    by_table: dict[tuple[str, str, str], list[InstructionCount]] = {}
    for c in counts:
        by_table.setdefault((c.runtime, c.precision, c.instruction_set), []).append(c)
    fitted: dict[tuple[str, str, str], TestedTable] = {}
    # float first: what is left of an int8 file without its float operators
    for key, table_counts in sorted(by_table.items()):
        if len(table_counts) >= LEAST:
            wide = fitted.get((key[0], "fp32", key[2])) or fitted.get((COMMON_TABLE, "fp32", key[2]))
            fitted[key] = _fit(*key, table_counts, [_without_float(c, wide) for c in table_counts])
    return list(fitted.values())


def _without_float(c: InstructionCount, wide: TestedTable | None) -> InstructionCount:
    if not c.float_terms or wide is None:
        return c
    inside = float(wide.table.millions(np.array(c.float_terms)))
    return replace(c, millions=max(c.millions - inside, c.millions / 10))


def _fit(
    runtime: str,
    precision: str,
    instruction_set: str,
    whole: Sequence[InstructionCount],
    counts: Sequence[InstructionCount],
) -> TestedTable:
    """Fit one table to `counts`, and test it on the instructions of the `whole` files, float operators included."""
    static, dynamic = [], []
    for of, c in zip(whole, counts, strict=True):
        # a dynamic network is left out alone, its static twin too; a static design as a whole
        other_counts = [
            k for k in counts if (k.name != c.name and _twin(k) != _twin(c) if c.dynamic else k.design != c.design)
        ]
        if other_counts:
            foreseen = _costs(other_counts).millions(np.array(c.terms)) + of.millions - c.millions
            error = float(np.log(foreseen / of.millions))
            (dynamic if c.dynamic else static).append(error)
    fitted = _costs(counts)
    table = InstructionTable(
        runtime,
        max(c.version for c in counts),
        precision=precision,
        costs={k: float(f"{v:.5g}") for k, v in fitted.costs.items()},
        dynamic_error=round(quantile(abs(e) for e in dynamic or static), 4),
        networks=len(counts),
        instruction_set=instruction_set,
        exact=_exact(whole),
    )
    return TestedTable(table, tuple(static), tuple(dynamic))


def _exact(counts: Sequence[InstructionCount]) -> dict[str, float]:
    """Files with the same operators were built otherwise, and count alike or nearly."""
    millions: dict[str, list[float]] = {}
    for c in counts:
        floats = np.array(c.float_terms or np.zeros(len(COUNTED)))
        millions.setdefault(operators_key(np.array(c.terms), floats), []).append(c.millions)
    return {key: round(float(np.mean(same)), 6) for key, same in sorted(millions.items())}


def _twin(c: InstructionCount) -> str:
    return re.sub(r"-(eam|dynet|static).*", "", c.name)


def _costs(counts: Sequence[InstructionCount]) -> InstructionTable:
    x, y = np.array([c.terms for c in counts]), np.log([c.millions for c in counts])
    start = np.array([START[name] for name in COUNTED])
    fit = fit_one(Sample(x, y, np.ones(len(y))), Prior(start, np.ones(len(start))))
    return InstructionTable(
        "",
        "",
        precision="",
        costs=dict(zip(COUNTED, np.exp(fit.log_cost), strict=True)),
        dynamic_error=0.0,
        networks=len(counts),
    )


def write_tables(counted: Sequence[TestedTable], path: Path) -> None:
    """Write what the package ships."""
    document = {"schema_version": 1, "tables": [asdict(c.table) for c in counted]}
    atomic_write_text(path, json.dumps(document, indent=1, allow_nan=False) + "\n")


def counted_run(run: dict[str, Any], files: Path) -> InstructionCount | None:
    """A benched artifact as a count; None where the run counted nothing."""
    if not run.get("latency_ms") and run.get("instructions"):
        # one network in several plans is several files of one name
        paths = sorted(files.rglob(Path(run["artifact"]).name))
        candidates = [path for path in paths if artifact_sha256(path) == run["artifact_sha256"]]
        if candidates:
            features = extract_features(candidates[0])
            terms, float_terms = file_terms(features.records, features.precision)
            return InstructionCount(
                candidates[0].stem,
                table_name(run["runtime"], xnnpack=run["options"]["xnnpack"]),
                version=run["provenance"]["runtime_version"],
                precision=features.precision,
                design=candidates[0].name.split("-")[0] if features.family == IMPORTED else features.family,
                dynamic=features.is_dynamic,
                millions=run["instructions"] / 1e6,
                terms=tuple(round(float(v), 6) for v in terms),
                float_terms=tuple(round(float(v), 6) for v in float_terms) if float_terms.any() else (),
                instruction_set=instruction_set(board_of(run["device"])),
            )
    return None


def table_name(runtime: str, *, xnnpack: bool) -> str:
    """What a run is counted for: without its delegate, LiteRT has other kernels."""
    return BUILT_IN if runtime == COMMON_TABLE and not xnnpack else runtime


def _key(c: InstructionCount) -> tuple[str, str, str, str, tuple[float, ...]]:
    return c.name, c.runtime, c.precision, c.instruction_set, (*c.terms, *c.float_terms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, nargs="+", required=True)
    parser.add_argument("--files", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=COUNTS)
    options = parser.parse_args()
    # one network in two plans is two artifacts
    counts = {_key(c): c for c in (read_counts(options.out) if options.out.is_file() else [])}
    for path in options.runs:
        for run in json.loads(path.read_text(encoding="utf-8"))["runs"]:
            count = counted_run(run, options.files)
            if count is not None:
                counts[_key(count)] = count
    lines = ",\n".join(json.dumps(asdict(counts[key]), separators=(",", ":")) for key in sorted(counts))
    atomic_write_text(options.out, f"[\n{lines}\n]\n")
    print(options.out, len(counts), "counts")


if __name__ == "__main__":
    main()
