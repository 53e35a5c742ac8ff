"""How fast a board works off instructions, from its published latencies of static networks; and how wrong that goes.

One number for a calibration: it knows nothing of which operators a board is slow at, and so it carries further than costs
per operator do, to families, sizes and dynamic layers that were not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from devices.latency.model.groups import CalibrationGroup
from devices.latency.model.instructions import BASE, InstructionTable, static_counted, tables

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OneThreadRate:
    """What was measured with one thread alone: nothing of it is owed to how well networks are divided.

    Attributes:
        log_ms, half_width: as in `InstructionRate`.
    """

    log_ms: float
    half_width: float


@dataclass(frozen=True)
class InstructionRate:
    """Of one calibration.

    Attributes:
        runtime, precision, instruction_set: of the instruction table it belongs to.
        log_ms: of a million instructions, on one thread where threads are stated.
        half_width: of a 90 % interval in the logarithm, from whole families and the smallest and largest networks left out.
        pair_error: nine in ten pairs of such networks erred apart by this, for each unit of work they do not share.
        one_thread: what answers for one thread; None where too little was measured with one.
    """

    runtime: str
    precision: str
    log_ms: float
    half_width: float
    pair_error: float
    instruction_set: str = BASE
    one_thread: OneThreadRate | None = None

    def at(self, threads: int | None) -> InstructionRate:
        """What answers for a number of threads."""
        if threads != 1 or self.one_thread is None:
            return self
        return replace(self, log_ms=self.one_thread.log_ms, half_width=self.one_thread.half_width)

    @property
    def table(self) -> InstructionTable | None:
        """The shipped table that it belongs to."""
        return tables().get((self.runtime, self.precision, self.instruction_set))

    def to_dict(self) -> dict[str, Any]:
        """For the file."""
        document = asdict(self)
        return document if self.one_thread else {k: v for k, v in document.items() if k != "one_thread"}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> InstructionRate:
        """What `to_dict` wrote."""
        one_thread = data.get("one_thread")
        return cls(**{**data, "one_thread": one_thread and OneThreadRate(**one_thread)})


def log_rate(group: CalibrationGroup, table: InstructionTable, keep: npt.NDArray[np.bool_] | None = None) -> float:
    """Median over networks of log milliseconds for a million instructions."""
    residual = group.log_ms - np.log(table.millions(static_counted(group.totals)))
    return float(np.median(residual if keep is None else residual[keep]))
