"""What the tests of the latency model could show at best, whoever makes the intervals or chooses the anchors."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.latency.fit_all import Evaluated
from benchmarks.latency.gather.grouping import fit_priors
from benchmarks.latency.trials.validation import LeftOut, predict_left_out
from devices.latency.calibrate.anchors import believed, contradiction
from devices.latency.model.fit.residual import alike
from devices.latency.model.groups import CalibrationGroup, Priors
from devices.latency.model.measurements import MeasurementConditions
from devices.latency.model.terms import coordinates

HALF_WIDTH = 1.6448536  # of a 90 % interval of a normal distribution, in standard deviations
NORMAL_MAD = 1.4826  # standard deviations in a median absolute error, of a normal distribution
DRAWS = 2_000
PAIRS = 600


def in_band_with_known_spread(results: Sequence[LeftOut], inside: Callable[[float], bool]) -> float:
    """How probable it is that intervals of exactly the right width cover a share of rows that is `inside`.

    The errors of one calibration are taken as normal with a part common to a family and a part of each row's own, in the
    proportion that its left-out families show (analysis of variance). Nobody who predicts an unmeasured family knows more
    than these two variances.

    Args:
        results: of one calibration, every family left out in turn.
        inside: whether a coverage, in percent, counts.
    """
    families = sorted({r.family for r in results})
    errors = [np.array([math.log(r.predicted_ms / r.measured_ms) for r in results if r.family == f]) for f in families]
    sizes = np.array([len(e) for e in errors])
    rows = int(sizes.sum())
    variance = sum(float(((e - e.mean()) ** 2).sum()) for e in errors) / max(rows - len(errors), 1)
    between = sum(len(e) * float(e.mean()) ** 2 for e in errors)
    common = max((between - len(errors) * variance) / rows, 0.0)
    share = common / (common + variance)
    draw = np.random.default_rng(0)
    effect = np.repeat(draw.standard_normal((DRAWS, len(sizes))), sizes, axis=1) * math.sqrt(share)
    total = effect + draw.standard_normal((DRAWS, rows)) * math.sqrt(1 - share)
    covered = 100 * (np.abs(total) <= HALF_WIDTH).mean(axis=1)
    return float(np.mean([inside(float(c)) for c in covered]))


@dataclass(frozen=True)
class HeldOut:
    """A calibration of a board that was held out, and what was known without that board.

    Attributes:
        anchors: of each network, whether it is one of the two.
        scatter: of its measurements in the logarithm, where all its networks are fitted.
    """

    group: CalibrationGroup
    priors: Priors
    anchors: npt.NDArray[np.bool_]
    scatter: float


def held_out(tested: Sequence[Evaluated]) -> dict[MeasurementConditions, HeldOut]:
    """Every calibration that was predicted from two anchors."""
    shares = {}
    for t in tested:
        priors: dict[str, Priors] = {}
        for g in t.groups:
            if g.conditions not in t.by_board:
                continue
            board = g.conditions.board
            if board not in priors:
                priors[board] = fit_priors([o for o in t.groups if o.conditions.board != board], t.population)
            anchors = np.array([network in t.by_board[g.conditions].anchors for network in g.networks])
            left_out = [r.log_error for r in t.by_network if r.conditions == g.conditions]
            scatter = NORMAL_MAD * float(np.median(left_out))
            shares[g.conditions] = HeldOut(g, priors[board], anchors, scatter)
    return shares


def anchors_apart(hold_out: HeldOut) -> tuple[float, float]:
    """How far its two anchors contradict each other: logarithm, standard deviations."""
    return contradiction(
        hold_out.group.totals[hold_out.anchors], hold_out.group.log_ms[hold_out.anchors], hold_out.priors
    )


def chance_of_aim(hold_out: HeldOut, aim: float) -> float:
    """How probable it is that the best linear estimate from its two anchors errs by `aim` percent or less.

    Boards are drawn as the others differ from each other, networks of similar size depart together, and each measurement
    scatters as it does where all networks of the calibration are fitted: the estimate knows all three, but not the draw.
    """
    anchored, rest = np.flatnonzero(hold_out.anchors), np.flatnonzero(~hold_out.anchors)
    totals, scatter = hold_out.group.totals, hold_out.scatter
    together = alike(coordinates(totals))
    draw, n, within = np.random.default_rng(0), len(totals), []
    for terms, prior in hold_out.priors.values():
        covariance = believed(totals, terms, prior)[1] + together
        root = np.linalg.cholesky(covariance + 1e-9 * np.eye(n))
        boards = root @ draw.standard_normal((n, DRAWS)) + scatter * draw.standard_normal((n, DRAWS))
        inner = covariance[np.ix_(anchored, anchored)] + scatter**2 * np.eye(len(anchored))
        predicted = covariance[:, anchored] @ np.linalg.solve(inner, boards[anchored])
        errors = 100 * np.abs(np.exp(predicted - boards) - 1)[rest].mean(axis=0)
        within.append(np.mean(errors <= aim))
    return float(np.mean(within))


def error_by_anchors(hold_out: HeldOut) -> list[float]:
    """Mean error in percent of its other networks, for pairs of its networks as anchors; the smallest first.

    Every pair, or that many of them evenly spread where there are more.
    """
    errors, pairs = [], list(itertools.combinations(range(len(hold_out.group.networks)), 2))
    for pair in pairs[:: max(1, len(pairs) // PAIRS)]:
        mask = np.isin(np.arange(len(hold_out.group.networks)), pair)
        errors.append(
            100 * float(np.mean([abs(r.error) for r in predict_left_out(hold_out.group, mask, hold_out.priors)]))
        )
    return sorted(errors)
