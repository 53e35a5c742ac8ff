"""Intervals for a family that was left out, made without it: two families out of every fit behind them.

To say whether the interval of an unmeasured family is right, a measured family must play its part everywhere: out of
the fit that predicts it, out of the errors that make the interval, and out of the fits those errors come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.latency.gather.grouping import fit_priors
from benchmarks.latency.trials.validation import OWN_SCORES_FROM, LeftOut, predict_left_out
from devices.latency.model.fit.conformal import quantile, stranger_width
from devices.latency.model.groups import CalibrationGroup
from devices.latency.model.measurements import MeasurementConditions
from devices.latency.model.populations import Population

Behind = Mapping[str, Sequence[LeftOut]]


def errors_without(groups: Sequence[CalibrationGroup], population: Population) -> dict[str, list[LeftOut]]:
    """For each family, the left-out errors of every other family, from fits that saw neither of the two."""
    families = sorted({f for g in groups for f in g.families})
    behind: dict[str, list[LeftOut]] = {f: [] for f in families}
    for i, left_family in enumerate(families):
        for other in families[i + 1 :]:
            masks = {id(g): np.array([f not in (left_family, other) for f in g.families]) for g in groups}
            priors = fit_priors(groups, population, lambda g, masks=masks: masks[id(g)])
            for g in groups:
                mask = masks[id(g)]
                if mask.all() or mask.sum() < 2:
                    continue
                for r in predict_left_out(g, mask, priors):
                    behind[other if r.family == left_family else left_family].append(r)
    return behind


def enough_of_its_own(errors: Sequence[LeftOut]) -> bool:
    """Whether a calibration's own left-out families say how wide its intervals for others must be."""
    return len(errors) >= OWN_SCORES_FROM and len({r.family for r in errors}) > 1


def covered(results: Sequence[LeftOut], behind: Behind) -> list[bool]:
    """Whether each left-out measurement of one calibration lies in an interval that knows nothing of its family.

    Args:
        results: of one calibration, every family left out in turn.
        behind: see `errors_without`; the whole population's stand in where a calibration has too few of its own.
    """
    inside = []
    for family in sorted({r.family for r in results}):
        errors = _errors(behind.get(family, ()), results[0].conditions)
        if not errors:
            continue
        by_spread, plain = quantile(e.score for e in errors), quantile(e.log_error for e in errors)
        inside += [r.log_error <= stranger_width(by_spread * r.spread, plain) for r in results if r.family == family]
    return inside


def _errors(behind: Sequence[LeftOut], conditions: MeasurementConditions) -> Sequence[LeftOut]:
    own_errors = [e for e in behind if e.conditions == conditions]
    return own_errors if enough_of_its_own(own_errors) else behind
