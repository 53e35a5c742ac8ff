"""Rates of instructions with one thread, from what was measured with one: how small networks run, which are not divided.

How well a network is divided among threads differs from network to network, and is most of what rates over all counts are wrong by.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.latency.trials.rates import left_out_errors, percent
from benchmarks.latency.trials.validation import OWN_SCORES_FROM
from benchmarks.latency.trials.weighted import weighted_quantile
from devices.latency.estimate.choose import OLD_SYSTEM
from devices.latency.model.groups import CalibrationGroup
from devices.latency.model.hardware import boards, in_order, instruction_set
from devices.latency.model.instructions import Tables, countable, table_for
from devices.latency.model.measurements import STATED, MeasurementConditions
from devices.latency.model.rate import OneThreadRate, log_rate

LEAST = 3  # networks measured with one thread
Errors = Mapping[MeasurementConditions, Sequence[float]]


@dataclass(frozen=True)
class OneThreadTest:
    """One calibration's rate with one thread, and how it was tested.

    Attributes:
        errors: log(measured / predicted), every family and the smallest and the largest third left out.
        covered: of them, in an interval made without any row of this board; NaN where too little is left.
    """

    rate: OneThreadRate | None
    errors: tuple[float, ...]
    covered: float

    def summary(self) -> dict[str, Any]:
        """For the calibration's file, in percent."""
        covered = None if math.isnan(self.covered) else round(100 * self.covered, 1)
        return {**percent(self.errors), "coverage90_without_board_percent": covered}


def one_thread(group: CalibrationGroup) -> CalibrationGroup | None:
    """The measurements with one thread; None where there are none."""
    timed = tuple(tuple((n, log) for n, log in runs if n == 1) for runs in group.timed)
    mask = np.array([bool(runs) for runs in timed])
    if group.conditions.threads != STATED or not mask.any():
        return None
    at = np.flatnonzero(mask)
    return CalibrationGroup(
        group.conditions,
        tuple(group.networks[i] for i in at),
        group.totals[at],
        tuple(timed[i] for i in at),
        group.sources,
    )


def evaluate_one_thread(
    groups: Iterable[CalibrationGroup], tables: Tables
) -> dict[MeasurementConditions, OneThreadTest]:
    """Of every calibration that states threads and that a table of instructions serves."""
    rates, errors = {}, {}
    for g in groups:
        c = g.conditions
        alone = one_thread(g)
        table = table_for(c.runtime, c.precision, instruction_set(boards().get(c.board)), tables)
        if alone is None or table is None or c.processor != "cpu":
            continue
        mask = countable(c.runtime, alone.totals)
        if mask.sum() >= LEAST:
            alone = alone.keep(mask)
            rates[c] = round(log_rate(alone, table), 5)
            errors[c] = tuple(e for part in left_out_errors(alone, table) for e in part)
    tested = {}
    for c, log_ms in rates.items():
        half_width = one_thread_width(c, errors)
        rate = None if half_width is None else OneThreadRate(log_ms, round(half_width, 4))
        elsewhere = one_thread_width(c, {k: e for k, e in errors.items() if k.board != c.board})
        covered = math.nan
        if elsewhere is not None and errors[c]:
            covered = float(np.mean(np.abs(errors[c]) <= elsewhere))
        tested[c] = OneThreadTest(rate, errors[c], covered)
    return tested


def one_thread_width(conditions: MeasurementConditions, errors: Errors) -> float | None:
    """Half width of a 90 % interval: no calibration has enough errors of its own, so that all of its runtime speak for it.

    The larger of two: of boards whose cores issue instructions alike, in order or out of order, and of all boards. Each
    calibration counts alike, in float and in int8; None where too few networks were left out.
    """

    def runtime(c: MeasurementConditions) -> bool:
        return c.runtime == conditions.runtime and (OLD_SYSTEM in c.version) == (OLD_SYSTEM in conditions.version)

    def alike(c: MeasurementConditions) -> bool:
        return runtime(c) and in_order(c.board) == in_order(conditions.board)

    widths = [width for near in (alike, runtime) if (width := _of(near, errors)) is not None]
    return max(widths, default=None)


def _of(near: Callable[[MeasurementConditions], bool], errors: Errors) -> float | None:
    near_errors = [of_one for c, of_one in errors.items() if near(c) and of_one]
    if sum(len(of_one) for of_one in near_errors) < OWN_SCORES_FROM:
        return None
    return weighted_quantile((abs(e), 1 / len(of_one)) for of_one in near_errors for e in of_one)
