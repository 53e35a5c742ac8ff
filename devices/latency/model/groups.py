"""Measurements joined with the networks' terms: what a fit and its tests work on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from devices.latency.model.fit.fitting import Prior, run_weights
from devices.latency.model.measurements import MeasurementConditions, Network, family
from devices.latency.model.model import Model, fit_model
from devices.latency.model.speedup import Speedup, fit_speedup

Array = npt.NDArray[np.float64]
Priors = dict[str, tuple[tuple[str, ...], Prior]]


@dataclass(frozen=True)
class CalibrationGroup:
    """One calibration's measurements, a line for each network.

    Attributes:
        timed: the single runs of each network: threads (0 where not stated) and log milliseconds.
    """

    conditions: MeasurementConditions
    networks: tuple[Network, ...]
    totals: Array
    timed: tuple[tuple[tuple[int, float], ...], ...]
    sources: tuple[str, ...]

    @cached_property
    def speedup(self) -> Speedup:
        """What more threads bring, from networks measured with several counts."""
        return fit_speedup(self.timed)

    @cached_property
    def runs(self) -> tuple[tuple[float, ...], ...]:
        """Log milliseconds of each network's runs, carried to one thread where threads are stated."""
        change = {n: self.speedup.log_change(n) for timed in self.timed for n, _ in timed}
        return tuple(tuple(log - change[n] for n, log in timed) for timed in self.timed)

    @property
    def families(self) -> tuple[str, ...]:
        """Of each network."""
        return tuple(family(n[0]) for n in self.networks)

    @cached_property
    def log_ms(self) -> Array:
        """Mean over the runs of each network."""
        return np.array([np.mean(r) for r in self.runs])

    @property
    def weight(self) -> Array:
        """Of each network in a fit."""
        return run_weights(np.array([float(len(r)) for r in self.runs]))

    @property
    def rows(self) -> int:
        """Measurements."""
        return sum(len(t) for t in self.timed)

    def keep(self, mask: npt.NDArray[np.bool_]) -> CalibrationGroup:
        """The networks where `mask` is true."""
        at = np.flatnonzero(mask)
        return CalibrationGroup(
            self.conditions,
            tuple(self.networks[i] for i in at),
            self.totals[at],
            tuple(self.timed[i] for i in at),
            self.sources,
        )

    def model(self, priors: Priors) -> Model:
        """Fit to all networks of the group."""
        return fit_model(self.totals, self.log_ms, self.weight, priors)
