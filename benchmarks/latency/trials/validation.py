"""Tests on data that were not fitted: leave a network out, leave a family out, hold out a board.

Left out means left out everywhere: every row of the network (or family) in every calibration of the population, so that
neither the board's fit nor what it borrows from other boards has seen it. Intervals are tested likewise: a left-out
error is compared with a width made from the errors of the other networks (or families) alone.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.latency.gather.grouping import fit_priors
from benchmarks.latency.trials.weighted import weighted_quantile
from devices.latency.model.calibration import BEYOND, as_large
from devices.latency.model.fit.conformal import quantile, stranger_width
from devices.latency.model.groups import CalibrationGroup, Priors
from devices.latency.model.measurements import MeasurementConditions, Network, family
from devices.latency.model.populations import Population
from devices.latency.model.terms import coordinates

Array = npt.NDArray[np.float64]
MANY, PARTS = 60, 10
OWN_SCORES_FROM = 15  # left-out rows from which a calibration's own errors set its intervals


@dataclass(frozen=True)
class LeftOut:
    """One measurement and what was predicted for it without it; `inside`: as large as what the fit has seen."""

    conditions: MeasurementConditions
    network: Network
    predicted_ms: float
    measured_ms: float
    spread: float
    inside: bool = True

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


def leave_out(groups: Sequence[CalibrationGroup], population: Population, by: str) -> list[LeftOut]:
    """Predict every measurement without its network (`by="network"`) or its family (`by="family"`)."""
    results: list[LeftOut] = []
    for hold_out in held_together(groups, by):
        masks = {id(g): np.array([n not in hold_out.without for n in g.networks]) for g in groups}
        priors = fit_priors(groups, population, lambda g, masks=masks: masks[id(g)])
        for g in groups:
            tested = np.array([n in hold_out.tested for n in g.networks])
            if tested.any() and masks[id(g)].sum() >= 2:
                results += predict_left_out(g, masks[id(g)], priors, tested)
    return results


@dataclass(frozen=True)
class Held:
    """Networks that are predicted, and those that the fit must not see."""

    tested: frozenset[Network]
    without: frozenset[Network]


def held_together(groups: Sequence[CalibrationGroup], by: str) -> list[Held]:
    """What is left out together.

    By family: all of a family. By network: a network with every network of its design that has its width or its input size,
    so that no neighbour speaks for it; a family of very many networks (a searched space) in ten parts.
    """
    networks = sorted({n for g in groups for n in g.networks})
    sizes = Counter(family(n[0]) for n in networks)
    parts: dict[tuple[str, ...], set[Network]] = {}
    for n in networks:
        f = family(n[0])
        if by == "family":
            key: tuple[str, ...] = (f,)
        else:
            key = n if sizes[f] <= MANY else (f, str(zlib.crc32("-".join(n).encode()) % PARTS))
        parts.setdefault(key, set()).add(n)
    hold_outs = []
    for _, tested in sorted(parts.items()):
        first = min(tested)
        alike = {
            n for n in networks if len(tested) == 1 and n[0] == first[0] and (n[1] == first[1] or n[2] == first[2])
        }
        hold_outs.append(Held(frozenset(tested), frozenset(tested | alike)))
    return hold_outs


def predict_left_out(
    g: CalibrationGroup, mask: npt.NDArray[np.bool_], priors: Priors, tested: npt.NDArray[np.bool_] | None = None
) -> list[LeftOut]:
    """Fit where `mask` is true, predict every measurement where `tested` is, by default where `mask` is not."""
    fitted_group, tested_mask = g.keep(mask), ~mask if tested is None else tested
    prediction = fitted_group.model(priors).predict(g.totals[tested_mask])
    fitted_at, where = coordinates(fitted_group.totals), coordinates(g.totals[tested_mask])
    inside = as_large(where, fitted_at.min(0), fitted_at.max(0))
    return [
        LeftOut(
            g.conditions,
            g.networks[i],
            predicted_ms=float(np.exp(log + fitted_group.speedup.log_change(threads))),
            measured_ms=float(np.exp(run)),
            spread=float(spread),
            inside=bool(seen_before),
        )
        for i, log, spread, seen_before in zip(
            np.flatnonzero(tested_mask), prediction.log_ms, prediction.spread, inside, strict=True
        )
        for threads, run in g.timed[i]
    ]


def width_in_spreads(results: Sequence[LeftOut]) -> float:
    """How many spreads make 90 %, for networks as large as the measured ones; of all where none was left out there."""
    return quantile([r.score for r in results if r.inside] or [r.score for r in results])


def beyond_factor(results: Sequence[LeftOut]) -> float:
    """How much wider an interval must be for a network smaller or larger than all that its calibration has seen, over a population.

    Nine in ten such networks were within it, each calibration counting alike; `BEYOND` where too few were left out.
    """
    by_calibration: dict[MeasurementConditions, list[LeftOut]] = {}
    for r in results:
        by_calibration.setdefault(r.conditions, []).append(r)
    ratios = []
    for calibration_errors in by_calibration.values():
        outside = [r for r in calibration_errors if not r.inside]
        if outside and len(calibration_errors) - len(outside) >= OWN_SCORES_FROM:
            width = width_in_spreads(calibration_errors)
            ratios += [(r.score / width, 1 / len(outside)) for r in outside]
    return max(1.0, weighted_quantile(ratios)) if len(ratios) >= OWN_SCORES_FROM else BEYOND


def coverage(results: Sequence[LeftOut], by: str, beyond: float = BEYOND) -> float:
    """The share of left-out measurements within an interval made from the others' errors; NaN without others.

    Args:
        results: of one calibration.
        by: "network" or "family".
        beyond: see `beyond_factor`; for networks left out.
    """
    together: dict[object, list[LeftOut]] = {}
    for r in results:
        together.setdefault(r.network if by == "network" else r.family, []).append(r)
    inside: list[bool] = []
    for board_errors in together.values():
        other_errors = [o for errors_here in together.values() if errors_here is not board_errors for o in errors_here]
        if not other_errors:
            continue
        by_spread, plain = quantile(o.score for o in other_errors), quantile(o.log_error for o in other_errors)
        within = width_in_spreads(other_errors)
        for r in board_errors:
            width = (by_spread if by == "family" else within * (1 if r.inside else beyond)) * r.spread
            inside.append(r.log_error <= (stranger_width(width, plain) if by == "family" else width))
    return float(np.mean(inside)) if inside else math.nan
