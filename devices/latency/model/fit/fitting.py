"""Fits costs per term to measured latencies: one calibration at a time, drawn towards what related calibrations say.

A latency is a sum of positive costs, `t = sum_k exp(b_k) x_k`, with `b = mu + scale + d`: `mu` is common to a
population (one runtime and precision on all boards), `scale` the board's own speed, `d` its departures, small where
data are few. `mu` and the departures' spread `tau` are estimated from the population itself (empirical Bayes). Errors
are relative (in the logarithm) and robust (pseudo-Huber), so that one outlier does not bend a board.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
SIGMA = 0.05  # relative error of an ordinary measurement
SCALE_SPREAD = 3.0  # a board may be e^3 faster or slower than the population
TAU_START, TAU_MIN = 0.5, 0.1


@dataclass(frozen=True)
class Sample:
    """Measurements of one calibration: (networks, terms), log milliseconds, weights."""

    terms: Array
    log_ms: Array
    weight: Array


@dataclass(frozen=True)
class Prior:
    """What a population says: log cost per term, and how far boards depart from it."""

    mu: Array
    tau: Array


@dataclass(frozen=True)
class Fit:
    """A calibration's log costs; `covariance` is of (scale, departures)."""

    log_cost: Array
    departure: Array
    covariance: Array
    scale: float = 0.0


def fit_one(sample: Sample, prior: Prior, sigma: float = SIGMA, steps: int = 40, near: Fit | None = None) -> Fit:
    """The most probable costs of one calibration (Gauss-Newton with step halving).

    Args:
        sample: at least one measurement.
        prior: of its population.
        sigma: relative error of a measurement.
        steps: at most.
        near: a fit to start from, of the same sample under a similar prior.
    """
    x, y, w = sample.terms, sample.log_ms, sample.weight
    precision = np.diag(np.r_[1 / SCALE_SPREAD**2, 1 / prior.tau**2])
    p = np.zeros(1 + len(prior.mu))
    if near is None:
        p[0] = np.median(y - np.log(x @ np.exp(prior.mu)))
    else:
        p[0], p[1:] = near.scale, near.departure

    def evaluate(p: Array) -> tuple[float, Array, Array, Array]:
        costs = x * np.exp(prior.mu + p[0] + p[1:])
        predicted = costs.sum(axis=1)
        residual = y - np.log(predicted)
        loss = (w * 4 * (np.sqrt(1 + (residual / sigma) ** 2 / 4) - 1)).sum() + p @ precision @ p
        return float(loss), residual, costs, predicted

    jacobian = np.ones((len(y), len(p)))
    loss, residual, costs, predicted = evaluate(p)
    hessian = precision
    for _ in range(steps):
        np.divide(costs, predicted[:, None], out=jacobian[:, 1:])
        robust = w / np.sqrt(1 + (residual / sigma) ** 2 / 4) / sigma**2
        hessian = jacobian.T @ (jacobian * robust[:, None]) + precision
        step = np.clip(np.linalg.solve(hessian, jacobian.T @ (robust * residual) - precision @ p), -1.5, 1.5)
        for _ in range(8):
            trial = evaluate(p + step)
            if trial[0] <= loss:
                break
            step = step / 2
        else:
            break
        p, gained = p + step, loss - trial[0]
        loss, residual, costs, predicted = trial
        if gained < 1e-6 * max(1.0, loss):
            break
    return Fit(prior.mu + p[0] + p[1:], p[1:], np.linalg.inv(hessian), float(p[0]))


def fit_population(samples: Sequence[Sample], start: Array, rounds: int = 12) -> Prior:
    """The common costs and the boards' spread around them (expectation-maximisation).

    Args:
        samples: one for each calibration; those with fewer than two measurements are left aside.
        start: log cost per term before any data, itself believed to within a factor e.
    """
    used = [s for s in samples if len(s.log_ms) >= 2]
    mu, tau = start.copy(), np.full(len(start), TAU_START)
    fits: list[Fit | None] = [None] * len(used)
    for round_number in range(rounds if used else 0):
        fits = [fit_one(s, Prior(mu, tau), near=near) for s, near in zip(used, fits, strict=True)]
        departures = np.stack([f.departure for f in fits if f])
        variances = np.stack([np.diag(f.covariance)[1:] for f in fits if f])
        mean = departures.mean(0)
        weight = len(used) / tau**2
        moved = (start + weight * (mu + mean)) / (1 + weight)
        spread = 0.9 * ((departures - mean) ** 2 + variances).mean(0) + 0.1 * TAU_START**2
        tau = np.sqrt(np.maximum(spread, TAU_MIN**2))
        settled = float(np.abs(moved - mu).max()) < 1e-3 and round_number > 3
        mu = moved
        if settled:
            break
    return Prior(mu, tau)


def run_weights(counts: Array) -> Array:
    """How much a mean over several runs counts: more than one run, less than independent ones."""
    return counts / (1 + 0.5 * (counts - 1))
