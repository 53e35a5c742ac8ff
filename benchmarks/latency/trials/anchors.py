"""A board known by two networks: which two, how well the rest is predicted, how wide its intervals must be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.latency.gather.grouping import fit_priors
from benchmarks.latency.trials.validation import LeftOut, predict_left_out
from benchmarks.latency.trials.weighted import weighted_quantile
from devices.latency.calibrate.anchors import MISFIT, believed
from devices.latency.model.fit.conformal import stranger_width
from devices.latency.model.fit.residual import alike
from devices.latency.model.groups import CalibrationGroup, Priors
from devices.latency.model.measurements import MeasurementConditions, Network
from devices.latency.model.populations import Population
from devices.latency.model.terms import coordinates

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Anchored:
    """One calibration of a board that was held out.

    Attributes:
        anchors: the two networks it was known by.
        results: all the others.
    """

    anchors: tuple[Network, Network]
    results: tuple[LeftOut, ...]


def choose_anchors(totals: Array, priors: Priors) -> tuple[int, int]:
    """The two networks whose measurement would tell most about all others, by the prior alone: no latency is looked at.

    Minimises the mean variance that is left, linearised at the population's costs; networks of similar size depart
    together.

    Args:
        totals: (networks, all terms).
        priors: of the population, without the board.
    """
    n = len(totals)
    remaining = np.zeros((n, n))
    together = alike(coordinates(totals))
    for terms, prior in priors.values():
        covariance = believed(totals, terms, prior)[1] + together
        for i in range(n):
            for j in range(i + 1, n):
                anchors = [i, j]
                inner = covariance[np.ix_(anchors, anchors)] + MISFIT**2 * np.eye(2)
                explained = covariance[:, anchors] @ np.linalg.solve(inner, covariance[anchors])
                remaining[i, j] += np.mean(np.diag(covariance) - np.diag(explained))
    remaining[np.tril_indices(n)] = np.inf
    first, second = np.unravel_index(int(np.argmin(remaining)), remaining.shape)
    return int(first), int(second)


def hold_out_boards(
    groups: Sequence[CalibrationGroup], population: Population, least: int = 15
) -> dict[MeasurementConditions, Anchored]:
    """Predict each board from the other boards and two anchor networks measured on it.

    The board is left out of the population entirely; the two anchors are chosen by `choose_anchors` and are not tested.

    Args:
        groups: of one population.
        population: that they belong to.
        least: networks a calibration needs to be tested.
    """
    hold_outs: dict[MeasurementConditions, Anchored] = {}
    for board in sorted({g.conditions.board for g in groups}):
        other_groups = [g for g in groups if g.conditions.board != board]
        if not any(len(g.networks) >= 8 for g in other_groups):
            continue
        priors = fit_priors(other_groups, population)
        for g in groups:
            if g.conditions.board != board or len(g.networks) < least:
                continue
            first, second = choose_anchors(g.totals, priors)
            mask = np.zeros(len(g.networks), dtype=bool)
            mask[[first, second]] = True
            hold_outs[g.conditions] = Anchored(
                (g.networks[first], g.networks[second]), tuple(predict_left_out(g, mask, priors))
            )
    return hold_outs


@dataclass(frozen=True)
class AnchorWidth:
    """What nine in ten networks on held-out boards were within: in spreads, and as a plain error of the logarithm."""

    by_spread: float
    plain: float

    def half_width(self, spread: float) -> float:
        """Of a 90 % interval."""
        return stranger_width(self.by_spread * spread, self.plain)


def anchor_width(
    hold_outs: Mapping[MeasurementConditions, Anchored], without_board: str | None = None
) -> AnchorWidth | None:
    """How wide intervals must be on a board known by two anchors; every board counts alike, however often measured.

    Args:
        hold_outs: all boards that were held out.
        without_board: the board whose own errors must not be used.
    """
    used = {c: a.results for c, a in hold_outs.items() if c.board != without_board}
    if not used:
        return None
    calibrations: dict[str, int] = {}
    for c in used:
        calibrations[c.board] = calibrations.get(c.board, 0) + 1
    errors = [(r, 1 / (calibrations[c.board] * len(results))) for c, results in used.items() for r in results]
    return AnchorWidth(
        weighted_quantile((r.score, w) for r, w in errors), weighted_quantile((r.log_error, w) for r, w in errors)
    )


def anchor_coverage(
    conditions: MeasurementConditions, hold_outs: Mapping[MeasurementConditions, Anchored]
) -> float | None:
    """Percent of a held-out board's measurements inside intervals made from the other boards."""
    width = anchor_width(hold_outs, conditions.board)
    if width is None:
        return None
    return round(
        100 * float(np.mean([r.log_error <= width.half_width(r.spread) for r in hold_outs[conditions].results])), 1
    )
