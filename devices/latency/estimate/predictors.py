"""Two ways from an artifact to a time on a calibration's own board: costs per operator, and instructions at a rate.

Costs per operator are closer for networks like the measured ones. The rate of instructions is one number, and carries further: to
families, sizes and dynamic layers that were not measured. Each has an interval of its own tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from devices.latency.estimate.breakdown import float_twin, operator_times
from devices.latency.estimate.choose import transfers
from devices.latency.graph.records import ArtifactFeatures, OperatorRecord
from devices.latency.model.calibration import Calibration, within
from devices.latency.model.hardware import BoardHardware
from devices.latency.model.instructions import (
    BUILT_IN,
    InstructionTable,
    countable,
    counted_rows,
    file_terms,
    float_table,
    operators_key,
    table_for,
)
from devices.latency.model.measurements import family
from devices.latency.model.rate import InstructionRate
from devices.latency.model.terms import SMALL_PARTS, coordinates, term_matrix

Array = npt.NDArray[np.float64]
SAME_NETWORK = 0.1  # in every coordinate, logarithm: as large in everything as a network that was measured


@dataclass(frozen=True)
class TimePrediction:
    """Milliseconds of each operator on the calibration's own board.

    Attributes:
        method: "operators" or "instructions".
        times: of each operator; `overheads` are the part that no size explains.
        half_width: of a 90 % interval of the total, in the logarithm.
        notes: what widens it, in words.
        like_measured: of a measured family or size, and within what was measured.
    """

    method: str
    times: Array
    overheads: Array
    half_width: float
    notes: tuple[str, ...] = ()
    like_measured: bool = False

    @property
    def milliseconds(self) -> float:
        """In all."""
        return float(self.times.sum())


def by_operators(
    features: ArtifactFeatures, calibration: Calibration, calibrations: Sequence[Calibration]
) -> TimePrediction | None:
    """By costs per operator; None for dynamic layers where no network with such layers was measured."""
    if features.is_dynamic and not calibration.tests.get("dynamic_networks"):
        return None
    terms = term_matrix(features.records)
    totals = terms.sum(0, keepdims=True)
    prediction = calibration.model.predict(totals)
    spread, where, notes = float(prediction.spread[0]), coordinates(totals)[0], []
    fitted = family(features.family) in calibration.families or _measured(calibration, where)
    half = calibration.half_width(spread, fitted=fitted)
    if not fitted:
        what = f"the family {family(features.family)}" if features.family else "this network's family"
        notes.append(f"{what} is not among the measured ones ({', '.join(calibration.families)}): interval widened")
    if not within(calibration, where):
        half *= calibration.beyond
        notes.append("smaller or larger than every measured network: interval widened")
    times, overheads = operator_times(features, calibration, calibrations, terms, float(prediction.log_ms[0]))
    return TimePrediction("operators", times, overheads, half, tuple(notes), like_measured=not notes)


def _measured(calibration: Calibration, where: Array) -> bool:
    points = calibration.model.points
    return bool(len(points)) and float(np.abs(points - where).max(1).min()) < SAME_NETWORK


def by_instructions(
    features: ArtifactFeatures,
    calibration: Calibration,
    calibrations: Sequence[Calibration],
    board: BoardHardware | None,
    counted_for: str | None = None,
    *,
    threads: int | None = None,
) -> TimePrediction | None:
    """By instructions at the board's rate, and by the bytes of the kernel banks; None where no table knows the network.

    Float operators inside an int8 file are worked off at the rate of the same board and runtime in float, where it was measured.

    Args:
        features, calibration, calibrations: as in `by_operators`.
        board: that the calibration is of.
        counted_for: the runtime whose instructions count, where the rate is another runtime's.
        threads: that the estimate is for; what was measured with one thread alone answers for one.
    """
    if calibration.rate is None:
        return None
    rate = calibration.rate.at(threads)
    runtime = counted_for or calibration.conditions.runtime
    table = rate.table if counted_for is None else table_for(runtime, rate.precision, rate.instruction_set)
    wide = float_table(runtime, table) if table is not None else None
    if table is None or wide is None or not countable(runtime, term_matrix(features.records).sum(0)):
        return None
    if (
        features.is_dynamic and table.runtime == BUILT_IN
    ):  # only static networks were measured, and counted, without XNNPACK
        return None
    float_rate = rate
    if calibration.conditions.precision == "int8":
        twin = float_twin(calibration, calibrations)
        float_rate = twin.rate.at(threads) if twin is not None and twin.rate is not None else rate
    is_float = _float_operators(features, table)
    rows = _rows(features.records)
    millions = np.where(is_float, wide.millions(rows), table.millions(rows))
    small = np.array([r.part in SMALL_PARTS for r in features.records])
    overhead_millions = np.where(
        is_float,
        np.where(small, wide.overhead(small=True), wide.overhead(small=False)),
        np.where(small, table.overhead(small=True), table.overhead(small=False)),
    )
    exact = _exact(features, table, rate)
    scale = np.exp(np.where(is_float, float_rate.log_ms, rate.log_ms)) * (exact / millions.sum() if exact else 1.0)
    times, overheads = millions * scale, np.minimum(millions, overhead_millions) * scale
    # the two rates may be wrong in the same direction
    share = float(times[is_float].sum() / times.sum())
    halves = [_rate_width(r, counted_for, threads) for r in (float_rate, rate)]
    half, notes = share * halves[0] + (1 - share) * halves[1], []
    if features.is_dynamic:
        if board is not None and board.read_bytes_per_ms:
            banks = np.array([r.weight_bytes if r.kind == "aggregation" else 0 for r in features.records])
            times = times + banks / board.read_bytes_per_ms
        if exact is None:
            half = math.hypot(half, table.dynamic_error)
        notes.append(DYNAMIC_NOTE if exact is None else EXACT_NOTE)
    return TimePrediction("instructions", times, overheads, half, tuple(notes))


@lru_cache(maxsize=4)
def _rows(records: tuple[OperatorRecord, ...]) -> Array:
    """Every calibration that could answer counts the same file."""
    rows = counted_rows(records)
    rows.setflags(write=False)
    return rows


@lru_cache(maxsize=4)
def _key(records: tuple[OperatorRecord, ...], precision: str) -> str:
    return operators_key(*file_terms(records, precision))


def _float_operators(features: ArtifactFeatures, table: InstructionTable) -> npt.NDArray[np.bool_]:
    """Which operators are float; none of a float file that is estimated as if it were quantized."""
    is_float = np.array([r.element_bytes > 1 for r in features.records])
    return np.zeros_like(is_float) if table.precision == "int8" and is_float.all() else is_float


def _exact(features: ArtifactFeatures, table: InstructionTable, rate: InstructionRate) -> float | None:
    """Millions of instructions of a file that was itself counted, with the instructions that the board has."""
    if (features.precision, rate.instruction_set) != (table.precision, table.instruction_set):
        return None
    return table.exact.get(_key(features.records, features.precision))


def _rate_width(rate: InstructionRate, counted_for: str | None, threads: int | None) -> float:
    """Of a rate; of another runtime's as wide as rates of two runtimes on one board were found apart."""
    if counted_for is None:
        return rate.half_width
    kind = "int8" if rate.precision == "int8" else "float"
    apart = transfers()["rates"].get(kind)
    if apart is not None:
        alone = apart.get("one_thread") if threads == 1 and rate.one_thread else None
        return max(rate.half_width, float((alone or apart)["half_width"]))
    # never compared in instructions: as far apart as latencies of two runtimes were
    half_widths = [float(factor["half_width"]) for factor in transfers()["runtime"][kind].values()]
    return math.hypot(rate.half_width, max(half_widths))


DYNAMIC_NOTE = "dynamic layers, by counted instructions at the rate of static networks, and by the banks' bytes"
EXACT_NOTE = (
    "dynamic layers, by this network's own instructions at the rate of static networks, and by the banks' bytes"
)
