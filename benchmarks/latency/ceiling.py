"""What the tests of the latency model could show at best, whoever makes the intervals or chooses the anchors."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from devices.latency.anchors import believed, contradiction
from devices.latency.groups import Group, Priors, fit_priors
from devices.latency.rebuild import Evaluated
from devices.latency.residual import alike
from devices.latency.terms import coordinates
from devices.latency.validation import LeftOut, predict_left_out

HALF_WIDTH = 1.6448536  # of a 90 % interval of a normal distribution, in standard deviations
NORMAL_MAD = 1.4826  # standard deviations in a median absolute error, of a normal distribution
DRAWS = 2_000


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
    own = sum(float(((e - e.mean()) ** 2).sum()) for e in errors) / max(rows - len(errors), 1)
    between = sum(len(e) * float(e.mean()) ** 2 for e in errors)
    common = max((between - len(errors) * own) / rows, 0.0)
    share = common / (common + own)
    draw = np.random.default_rng(0)
    effect = np.repeat(draw.standard_normal((DRAWS, len(sizes))), sizes, axis=1) * math.sqrt(share)
    total = effect + draw.standard_normal((DRAWS, rows)) * math.sqrt(1 - share)
    covered = 100 * (np.abs(total) <= HALF_WIDTH).mean(axis=1)
    return float(np.mean([inside(float(c)) for c in covered]))


def anchors_apart(t: Evaluated, g: Group) -> tuple[float, float]:
    """How far the two anchors of a held-out calibration contradict each other: logarithm, standard deviations."""
    at = [g.networks.index(network) for network in t.by_board[g.conditions].anchors]
    return contradiction(g.totals[at], g.log_ms[at], _without_board(t, g.conditions.board))


def chance_of_aim(t: Evaluated, g: Group, aim: float) -> float:
    """How probable it is that the best linear estimate from a held-out calibration's two anchors errs by `aim` percent or less.

    Boards are drawn as the others differ from each other, networks of similar size depart together, and each measurement
    scatters as it does where all networks of the calibration are fitted: the estimate knows all three, but not the draw.
    """
    anchors = np.array([network in t.by_board[g.conditions].anchors for network in g.networks])
    known, rest = np.flatnonzero(anchors), np.flatnonzero(~anchors)
    left_out = [r.log_error for r in t.by_network if r.conditions == g.conditions]
    scatter = NORMAL_MAD * float(np.median(left_out))
    together = alike(coordinates(g.totals))
    draw, n, within = np.random.default_rng(0), len(g.networks), []
    for terms, prior in _without_board(t, g.conditions.board).values():
        covariance = believed(g.totals, terms, prior)[1] + together
        root = np.linalg.cholesky(covariance + 1e-9 * np.eye(n))
        boards = root @ draw.standard_normal((n, DRAWS)) + scatter * draw.standard_normal((n, DRAWS))
        inner = covariance[np.ix_(known, known)] + scatter**2 * np.eye(len(known))
        predicted = covariance[:, known] @ np.linalg.solve(inner, boards[known])
        errors = 100 * np.abs(np.exp(predicted - boards) - 1)[rest].mean(axis=0)
        within.append(np.mean(errors <= aim))
    return float(np.mean(within))


def error_by_anchors(t: Evaluated, g: Group) -> npt.NDArray[np.float64]:
    """Mean error in percent of the rest of a held-out calibration, for every pair of its networks as anchors."""
    priors = _without_board(t, g.conditions.board)
    errors = []
    for pair in itertools.combinations(range(len(g.networks)), 2):
        mask = np.zeros(len(g.networks), dtype=bool)
        mask[list(pair)] = True
        errors.append(100 * np.mean([abs(r.error) for r in predict_left_out(g, mask, priors)]))
    return np.array(errors)


def _without_board(t: Evaluated, board: str) -> Priors:
    return fit_priors([g for g in t.groups if g.conditions.board != board], t.population)
