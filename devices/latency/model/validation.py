"""Tests on data that were not fitted: leave a network out, leave a family out, hold out a board.

Left out means left out everywhere: every row of the network (or family) in every calibration of the population, so that
neither the board's fit nor what it borrows from other boards has seen it. Intervals are tested likewise: a left-out
error is compared with a width made from the errors of the other networks (or families) alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from devices.latency.model.groups import Group, Priors, fit_priors
from devices.latency.model.measurements import Conditions, Network, family
from devices.latency.model.populations import Population

Array = npt.NDArray[np.float64]
LEVEL = 0.9
OWN_SCORES_FROM = 15  # left-out rows from which a calibration's own errors set its intervals


@dataclass(frozen=True)
class LeftOut:
    """One measurement and what was predicted for it without it."""

    conditions: Conditions
    network: Network
    predicted_ms: float
    measured_ms: float
    spread: float

    @property
    def error(self) -> float:
        """Relative: 0.1 is predicted 10 % too slow."""
        return self.predicted_ms / self.measured_ms - 1

    @property
    def score(self) -> float:
        """The error in units of the predicted spread."""
        return abs(math.log(self.measured_ms / self.predicted_ms)) / self.spread

    @property
    def log_error(self) -> float:
        """How far off, in the logarithm."""
        return self.score * self.spread

    @property
    def family(self) -> str:
        """Of the network."""
        return family(self.network[0])


def leave_out(groups: Sequence[Group], population: Population, by: str) -> list[LeftOut]:
    """Predict every measurement without its network (`by="network"`) or its family (`by="family"`)."""
    labels = {id(g): g.networks if by == "network" else g.families for g in groups}
    results: list[LeftOut] = []
    for held in sorted({label for g in groups for label in labels[id(g)]}):
        masks = {id(g): np.array([label != held for label in labels[id(g)]]) for g in groups}
        priors = fit_priors(groups, population, lambda g, masks=masks: masks[id(g)])  # type: ignore[misc]
        for g in groups:
            mask = masks[id(g)]
            if mask.all() or mask.sum() < 2:
                continue
            results += predict_left_out(g, mask, priors)
    return results


def predict_left_out(g: Group, mask: npt.NDArray[np.bool_], priors: Priors) -> list[LeftOut]:
    """Fit where `mask` is true, predict every measurement where it is not."""
    prediction = g.keep(mask).model(priors).predict(g.totals[~mask])
    return [
        LeftOut(g.conditions, g.networks[i], float(np.exp(log)), float(np.exp(run)), float(spread))
        for i, log, spread in zip(np.flatnonzero(~mask), prediction.log_ms, prediction.spread, strict=True)
        for run in g.runs[i]
    ]


def quantile(scores: Iterable[float], level: float = LEVEL) -> float:
    """The conformal quantile: the ceil(level (n + 1))-th smallest; the largest where there are too few."""
    ordered = sorted(scores)
    if not ordered:
        raise ValueError("no scores")
    return ordered[min(math.ceil(level * (len(ordered) + 1)), len(ordered)) - 1]


def stranger_width(by_spread: float, plain: float) -> float:
    """Half width for a network of an unmeasured family: between what its spread says and what such families erred by.

    The spread knows how far the network is from what was measured, but it can look like measured ones and not be; the plain
    error of families left out knows how wrong that goes, but not how far this one is. Their geometric mean covers best.
    """
    return math.sqrt(by_spread * plain)


def coverage(results: Sequence[LeftOut], by: str) -> float:
    """The share of left-out measurements within an interval made from the others' errors; NaN without others."""
    inside = []
    for r in results:
        others = [o for o in results if (o.network != r.network if by == "network" else o.family != r.family)]
        if not others:
            continue
        width = quantile(o.score for o in others) * r.spread
        if by == "family":
            width = stranger_width(width, quantile(o.log_error for o in others))
        inside.append(r.log_error <= width)
    return float(np.mean(inside)) if inside else math.nan
