"""Two ways from an artifact to a time on a calibration's own board: costs per operator, and instructions at a rate.

Costs per operator are closer for networks like the measured ones. The rate of instructions is one number, and carries further: to
families, sizes and dynamic layers that were not measured. Each has an interval of its own tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from devices.latency.estimate.breakdown import operator_times
from devices.latency.graph.records import ArtifactFeatures
from devices.latency.model.calibration import Calibration, within
from devices.latency.model.hardware import BoardHardware
from devices.latency.model.instructions import counted_terms, table_for
from devices.latency.model.measurements import family
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
    features: ArtifactFeatures, calibration: Calibration, known: Sequence[Calibration]
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
        half *= math.sqrt(2)
        notes.append("smaller or larger than every measured network: interval widened")
    times, overheads = operator_times(features, calibration, known, terms, float(prediction.log_ms[0]))
    return TimePrediction("operators", times, overheads, half, tuple(notes), like_measured=not notes)


def _measured(calibration: Calibration, where: Array) -> bool:
    points = calibration.model.points
    return bool(len(points)) and float(np.abs(points - where).max(1).min()) < SAME_NETWORK


def by_instructions(
    features: ArtifactFeatures, calibration: Calibration, board: BoardHardware | None
) -> TimePrediction | None:
    """By instructions at the board's rate, and by the bytes of the kernel banks; None where no table of instructions serves."""
    rate = calibration.rate
    if rate is None:
        return None
    table, wide = (table_for(calibration.conditions.runtime, p) for p in (rate.precision, "fp32"))
    if table is None or wide is None:
        return None
    times, overheads = np.zeros(len(features.records)), np.zeros(len(features.records))
    for i, record in enumerate(features.records):
        used = wide if record.element_bytes > 1 else table
        small = record.part in SMALL_PARTS
        times[i] = float(used.millions(counted_terms([record])))
        overheads[i] = min(times[i], used.overhead(small=small))
    scale = math.exp(rate.log_ms)
    times, overheads = times * scale, overheads * scale
    half, notes = rate.half_width, []
    if features.is_dynamic:
        if board is not None and board.read_bytes_per_ms:
            banks = np.array([r.weight_bytes if r.kind == "aggregation" else 0 for r in features.records])
            times = times + banks / board.read_bytes_per_ms
        half = math.hypot(half, table.dynamic_error)
        notes.append(DYNAMIC_NOTE)
    return TimePrediction("instructions", times, overheads, half, tuple(notes))


DYNAMIC_NOTE = "dynamic layers, by counted instructions at the rate of static networks, and by the banks' bytes"
