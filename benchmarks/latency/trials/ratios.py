"""Intervals of ratios, tested on every two left-out networks of a calibration: the time of one over that of the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.latency.trials.rates import LEAST_APART
from benchmarks.latency.trials.validation import LeftOut, beyond_factor, width_in_spreads
from devices.latency.model.fit.conformal import quantile
from devices.latency.model.groups import CalibrationGroup
from devices.latency.model.measurements import Network
from devices.latency.model.shared_work import shared_share

LEAST = 10  # networks with enough pairs that hold neither of two


@dataclass(frozen=True)
class RatioTest:
    """Pairs of left-out networks of one calibration.

    Attributes:
        pairs: how many.
        covered: of them, in their interval; the error for a unit of work not shared comes from pairs without the first of the two.
        bounded: of them, where the two latencies' intervals make the narrower one.
    """

    pairs: int
    covered: float
    bounded: float


def evaluate_ratios(
    results: Sequence[LeftOut], population: Sequence[LeftOut], group: CalibrationGroup
) -> RatioTest | None:
    """As `compare_estimates` compares two files, by costs of operators.

    Args:
        results: the left-out networks of one calibration.
        population: those of its whole population.
        group: the calibration's measurements.
    """
    runs: dict[Network, list[LeftOut]] = {}
    for r in results:
        runs.setdefault(r.network, []).append(r)
    at = [i for i, n in enumerate(group.networks) if n in runs]
    if len(at) < LEAST:
        return None
    by_network = [runs[group.networks[i]] for i in at]
    errors = np.array([np.mean([math.log(r.measured_ms / r.predicted_ms) for r in same]) for same in by_network])
    inside, beyond = width_in_spreads(results), beyond_factor(population)
    halves = np.array([inside * same[0].spread * (1 if same[0].inside else beyond) for same in by_network])
    totals = group.totals[at]
    unshared = np.maximum(1 - shared_share(totals[:, None], totals[None, :]), LEAST_APART)
    apart = np.abs(errors[:, None] - errors[None, :])
    scores = apart / unshared
    sums = halves[:, None] + halves[None, :]
    covered, bounded, pairs = 0, 0, 0
    for i in range(len(at) - 1):
        rest = np.delete(np.arange(len(at)), i)
        first, second = np.triu_indices(len(rest), 1)
        alone = quantile(scores[rest[first], rest[second]].tolist()) * unshared[i, i + 1 :]
        half = np.minimum(alone, sums[i, i + 1 :])
        covered += int((apart[i, i + 1 :] <= half).sum())
        bounded += int((sums[i, i + 1 :] < alone).sum())
        pairs += len(half)
    return RatioTest(pairs, covered / pairs, bounded / pairs)
