"""Two networks measured on one board: what may be believed before, and whether they contradict each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from devices.latency.model.fit.fitting import SCALE_SPREAD, Prior
from devices.latency.model.fit.residual import alike
from devices.latency.model.groups import Priors
from devices.latency.model.terms import coordinates, select

Array = npt.NDArray[np.float64]
# how far one network's measurement on a board may be from any sum of terms: more than the scatter of repeated runs
MISFIT = 0.2
# standard deviations from which two anchors are said to contradict each other; how rare that is: docs/latency-model.md
DOUBTED_FROM = 2.5


def contradiction(totals: Array, log_ms: Array, priors: Priors) -> tuple[float, float]:
    """How far two measurements of one board are from fitting together, by what published boards show.

    Args:
        totals: (2, all terms).
        log_ms: log milliseconds of each.
        priors: of the population.

    Returns:
        the logarithm of how much too slow the first is beside the second, and the same in standard deviations.
    """
    together = alike(coordinates(totals))
    apart, variances = [], []
    for terms, prior in priors.values():
        expected, covariance = believed(totals, terms, prior)
        residual, joint_covariance = log_ms - expected, covariance + together + MISFIT**2 * np.eye(2)
        apart.append(residual[0] - residual[1])
        variances.append(joint_covariance[0, 0] + joint_covariance[1, 1] - 2 * joint_covariance[0, 1])
    return float(np.mean(apart)), float(np.mean(apart) / np.sqrt(np.mean(variances)))


def believed(totals: Array, terms: Sequence[str], prior: Prior) -> tuple[Array, Array]:
    """Before any measurement of a board: log milliseconds (n,) at the population's speed, and their covariance (n, n).

    The covariance is that of the board's speed and departures, linearised; what networks of similar size leave over together
    (`residual.alike`) comes on top.
    """
    x = select(totals, terms) * np.exp(prior.mu)
    jacobian = np.c_[np.ones(len(x)), x / x.sum(1, keepdims=True)]
    return np.log(x.sum(1)), jacobian @ np.diag(np.r_[SCALE_SPREAD**2, prior.tau**2]) @ jacobian.T
