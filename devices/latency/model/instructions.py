"""Instructions of one inference, counted from an artifact's operators: what dynamic kernels cost where no latency of one is known.

The table of costs is fitted to counts of real files on an emulated aarch64 board: exact, repeatable, and no time. A rate, fitted
to a board's published latencies of static networks, turns instructions into time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from devices.latency.graph.records import OperatorRecord
from devices.latency.model.terms import INDEX, MILLION, SMALL_PARTS, term_matrix

Array = npt.NDArray[np.float64]
STATIC_TERMS = (
    "macs", "grouped_macs", "depthwise_macs", "patches", "conv_in", "conv_out", "element", "weights", "windows",
    "operators",
)  # fmt: skip
# of the mixing of kernels, of the branch that computes alpha, and of convolutions with the mixed kernels
DYNAMIC_TERMS = (
    "aggregation_macs",
    "attention_macs",
    "computed_depthwise_macs",
    "small_moved",
    "small_operators",
    "quantized",
)
COUNTED = (*STATIC_TERMS, *DYNAMIC_TERMS)
COMMON_TABLE = "litert"
BUILT_IN = "litert-builtin"  # LiteRT without XNNPACK: the kernels of the rows that say TFLite
WITH_XNNPACK = "TFLite-XNNPACK"  # how LiteRT runs a file today
# whose table stands for a runtime's kernels
TABLES = {
    "TFLite": BUILT_IN,
    "ONNXRuntime": "onnxruntime",
    "OpenVINO": "onnxruntime",
    "OpenCV-DNN": "onnxruntime",
    "ncnn": "ncnn",
    "MNN": "mnn",
}
# whose own kernels were counted; the others' are taken to be alike
COUNTED_RUNTIMES = ("TFLite", "TFLite-XNNPACK", "ONNXRuntime", "ncnn", "MNN")
WINOGRAD = ("ncnn", "MNN", "ArmNN-Neon", "Tengine-Lite")  # compute 3x3 convolutions with fewer multiplications
FAST_SHARE = 0.1  # of the multiplications, from which that changes a network's instructions
# what a board's kernels are made of: plain 128-bit vectors; with dot products of bytes besides
BASE, DOT_PRODUCT = "armv8.0", "armv8.2"
INSTRUCTION_SETS = (BASE, DOT_PRODUCT)


@dataclass(frozen=True)
class InstructionTable:
    """Millions of instructions for a unit of each term.

    Attributes:
        runtime: whose kernels were counted; `version` of it.
        instruction_set: of the counted board; a runtime takes other kernels where there is a dot product.
        costs: by term.
        dynamic_error: nine in ten dynamic networks left out of the fit were within this of it (logarithm).
        networks: how many were counted.
        exact: millions of instructions of the files that were counted, by `operators_key`.
    """

    runtime: str
    version: str
    precision: str
    costs: Mapping[str, float]
    dynamic_error: float
    networks: int
    instruction_set: str = BASE
    exact: Mapping[str, float] = field(default_factory=dict)

    def overhead(self, *, small: bool) -> float:
        """Millions of instructions of one operator that no size explains; small operators are those around dynamic kernels."""
        return float(self.costs.get("small_operators" if small else "operators", 0.0))

    def millions(self, terms: Array) -> Array:
        """(..., terms of `COUNTED`) -> (...)."""
        costs = np.array([self.costs.get(name, 0.0) for name in COUNTED])
        return np.asarray(np.maximum(terms @ costs, 1e-9), dtype=np.float64)


Tables = Mapping[tuple[str, str, str], InstructionTable]


def operators_key(terms: Array, float_terms: Array) -> str:
    """Of a file, by what is counted of its operators and, in an int8 file, of the float ones among them."""
    whole = np.rint(np.concatenate([terms, float_terms]) / MILLION).astype(np.int64)
    return hashlib.sha256(",".join(map(str, whole.tolist())).encode()).hexdigest()[:16]


def file_terms(records: Sequence[OperatorRecord], precision: str) -> tuple[Array, Array]:
    """What a file's instructions are counted from: its operators without, and the float ones in an int8 file."""
    is_float = [precision == "int8" and r.element_bytes > 1 for r in records]
    parts = ([r for r, f in zip(records, is_float, strict=True) if f == kind] for kind in (False, True))
    first, floats = (counted_terms(part) if part else np.zeros(len(COUNTED)) for part in parts)
    return first, floats


def counted_terms(records: Sequence[OperatorRecord]) -> Array:
    """What an artifact's instructions are counted from: (terms of `COUNTED`,)."""
    return np.asarray(counted_rows(records).sum(0), dtype=np.float64)


def counted_rows(records: Sequence[OperatorRecord]) -> Array:
    """As `counted_terms`, of each operator: (operators, terms of `COUNTED`)."""
    rows = term_matrix(records)
    small = np.array([r.part in SMALL_PARTS for r in records], dtype=bool)
    static = np.where(small[:, None], 0.0, from_totals(rows))
    computed = np.array([r.macs if r.computed_kernel and r.kind == "depthwise" else 0 for r in records]) * MILLION
    static[:, STATIC_TERMS.index("depthwise_macs")] -= computed
    macs = [
        np.array([r.macs if r.part == part else 0 for r in records]) * MILLION for part in ("aggregation", "attention")
    ]
    moved = small * rows[:, [INDEX["activations"], INDEX["weights"]]].sum(1)
    quantized = np.array([r.inputs if r.kind == "quantizer" else 0 for r in records]) * MILLION
    return np.column_stack([static, *macs, computed, moved, small, quantized])


def from_totals(totals: Array) -> Array:
    """The static part, from the totals of all terms: (..., all terms) -> (..., terms of `STATIC_TERMS`)."""
    term_totals: Array = totals[..., [INDEX[t] for t in STATIC_TERMS]].copy()
    term_totals[..., STATIC_TERMS.index("macs")] += totals[..., INDEX["winograd_macs"]]
    # what pools read and write is counted by their windows
    term_totals[..., STATIC_TERMS.index("element")] -= totals[..., INDEX["pooled"]]
    return term_totals


def static_counted(totals: Array) -> Array:
    """As `counted_terms` for networks without dynamic layers: (..., all terms) -> (..., terms of `COUNTED`)."""
    static = from_totals(totals)
    return np.concatenate([static, np.zeros((*static.shape[:-1], len(DYNAMIC_TERMS)))], axis=-1)


@cache
def tables() -> Tables:
    """The shipped tables."""
    text = resources.files("devices.latency").joinpath("data/instructions.json").read_text(encoding="utf-8")
    return keyed(InstructionTable(**t) for t in json.loads(text)["tables"])


def countable(runtime: str, totals: Array) -> npt.NDArray[np.bool_]:
    """Whether a table knows how a runtime computes a network, (..., all terms) -> (...): none knows Winograd's algorithm."""
    macs = totals[..., [INDEX[t] for t in ("macs", "winograd_macs", "grouped_macs", "depthwise_macs")]].sum(-1)
    few = totals[..., INDEX["winograd_macs"]] <= FAST_SHARE * macs
    return np.asarray(few if runtime in WINOGRAD else np.ones_like(few))


def own_table(
    runtime: str, precision: str, instruction_set: str, known_tables: Tables | None = None
) -> InstructionTable | None:
    """As `table_for`, of this runtime's own kernels or none."""
    table = table_for(runtime, precision, instruction_set, known_tables)
    name = TABLES.get(runtime, COMMON_TABLE)
    names = (name, COMMON_TABLE) if name == BUILT_IN else (name,)  # one program, with and without its delegate
    counted = runtime in COUNTED_RUNTIMES and table is not None and table.runtime in names
    return table if counted else None


def float_table(runtime: str, table: InstructionTable) -> InstructionTable | None:
    """What counts the float operators of a file whose others `table` counts."""
    if TABLES.get(runtime) == BUILT_IN:
        return tables().get((table.runtime, "fp32", table.instruction_set))
    return table_for(runtime, "fp32", table.instruction_set)


def keyed(tables_in: Iterable[InstructionTable]) -> Tables:
    """Tables by runtime, precision and instruction set."""
    return {(t.runtime, t.precision, t.instruction_set): t for t in tables_in}


def table_for(
    runtime: str, precision: str, instruction_set: str, known_tables: Tables | None = None
) -> InstructionTable | None:
    """The table that stands for a runtime of the measurements; int8 has its own, float16 is computed in float32.

    Without one of the runtime's own, the common one serves. In int8 the right instruction set matters more than the runtime.
    """
    known_tables = tables() if known_tables is None else known_tables
    kind = "int8" if precision == "int8" else "fp32"
    runtime_table = TABLES.get(runtime, COMMON_TABLE)
    other_sets = [name for name in INSTRUCTION_SETS if name != instruction_set]
    candidates = [(name, s) for name in (runtime_table, COMMON_TABLE) for s in (instruction_set, *other_sets)]
    if kind == "int8":
        candidates = [(name, s) for s in (instruction_set, *other_sets) for name in (runtime_table, COMMON_TABLE)]
    return next((known_tables[name, kind, s] for name, s in candidates if (name, kind, s) in known_tables), None)


__all__ = ["COUNTED", "InstructionTable", "counted_terms", "static_counted", "table_for"]
