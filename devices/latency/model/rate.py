"""How fast a board works off instructions, from its published latencies of static networks; and how wrong that goes.

One number for a calibration: it knows nothing of which operators a board is slow at, and so it carries further than costs
per operator do, to families, sizes and dynamic layers that were not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from devices.latency.model.groups import CalibrationGroup
from devices.latency.model.instructions import BASE, InstructionTable, static_counted, tables

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class InstructionRate:
    """Of one calibration.

    Attributes:
        runtime, precision, instruction_set: of the instruction table it belongs to.
        log_ms: of a million instructions, on one thread where threads are stated.
        half_width: of a 90 % interval in the logarithm, from whole families and the smallest and largest networks left out.
        pair_error: nine in ten pairs of such networks erred apart by this, for each unit of work they do not share.
    """

    runtime: str
    precision: str
    log_ms: float
    half_width: float
    pair_error: float
    instruction_set: str = BASE

    @property
    def table(self) -> InstructionTable | None:
        """The shipped table that it belongs to."""
        return tables().get((self.runtime, self.precision, self.instruction_set))

    def to_dict(self) -> dict[str, Any]:
        """For the file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> InstructionRate:
        """What `to_dict` wrote."""
        return cls(**data)


def log_rate(group: CalibrationGroup, table: InstructionTable, keep: npt.NDArray[np.bool_] | None = None) -> float:
    """Median over networks of log milliseconds for a million instructions."""
    residual = group.log_ms - np.log(table.millions(static_counted(group.totals)))
    return float(np.median(residual if keep is None else residual[keep]))
