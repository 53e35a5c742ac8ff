"""Published rows as calibrations' groups, and the costs that a population of them shares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.latency.gather.rows import LatencyRow, group
from devices.latency.model.fit.fitting import Sample, fit_population
from devices.latency.model.groups import CalibrationGroup, Priors
from devices.latency.model.measurements import Network
from devices.latency.model.populations import Population
from devices.latency.model.terms import PRIOR, PRIOR_SCALE, STRUCTURES, select, structure_terms

Array = npt.NDArray[np.float64]
POOLED_FROM = 8  # networks a calibration needs to take part in estimating a population's costs


def make_groups(
    rows: Iterable[LatencyRow], networks: Mapping[Network, Mapping[str, Array]], population: Population
) -> list[CalibrationGroup]:
    """The population's calibrations; a network that nobody has written down is left out.

    Rows of one architecture (the same model, width and input size) under the same conditions are one line, however
    often it was measured: the order of rows makes no difference.
    """
    groups = []
    for conditions, measured in sorted(group(rows).items(), key=lambda item: item[0].name):
        if not population.holds(conditions):
            continue
        by_network: dict[Network, list[tuple[int, float]]] = {}
        for row in measured:
            if row.network in networks:
                by_network.setdefault(row.network, []).append((row.threads, float(np.log(row.milliseconds))))
        if not by_network:
            continue
        names = sorted(by_network)
        totals = np.stack([networks[n][population.format] for n in names])
        sources = tuple(sorted({row.source for row in measured}))
        groups.append(
            CalibrationGroup(
                conditions, tuple(names), totals, tuple(tuple(sorted(by_network[n])) for n in names), sources
            )
        )
    return groups


def fit_priors(
    groups: Sequence[CalibrationGroup],
    population: Population,
    keep: Callable[[CalibrationGroup], npt.NDArray[np.bool_]] | None = None,
) -> Priors:
    """Estimate the population's costs, structure by structure, from what `keep` lets through."""
    priors: Priors = {}
    pooled = [g.keep(keep(g)) if keep else g for g in groups if len(g.networks) >= POOLED_FROM]
    for structure in STRUCTURES:
        terms = structure_terms(structure, winograd=population.winograd, legacy=population.legacy)
        start = np.array([PRIOR[t] for t in terms]) + PRIOR_SCALE
        samples = [Sample(select(g.totals, terms), g.log_ms, g.weight) for g in pooled if len(g.networks)]
        priors[structure] = (terms, fit_population(samples, start))
    return priors
