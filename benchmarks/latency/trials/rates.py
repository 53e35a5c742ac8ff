"""Instructions turned into time: one rate a calibration, tested on families and sizes that it was not fitted to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.latency.trials.validation import OWN_SCORES_FROM, LeftOut
from benchmarks.latency.trials.weighted import weighted_quantile
from devices.latency.estimate.choose import OLD_SYSTEM
from devices.latency.model.fit.conformal import quantile
from devices.latency.model.groups import CalibrationGroup
from devices.latency.model.hardware import boards, in_order, instruction_set
from devices.latency.model.instructions import InstructionTable, Tables, countable, static_counted, table_for
from devices.latency.model.measurements import MeasurementConditions
from devices.latency.model.rate import InstructionRate, log_rate
from devices.latency.model.shared_work import shared_share

Array = npt.NDArray[np.float64]
UNKNOWN = 1.0  # half width where nothing at all was left out
LEAST_APART = 0.1  # of the work: two networks with less between them differ by more than the work says


@dataclass(frozen=True)
class RateTest:
    """One calibration's rate, and log(measured / predicted) of every run left out: by family; smallest and largest third."""

    rate: InstructionRate
    family: tuple[float, ...]
    size: tuple[float, ...]

    def summary(self) -> dict[str, Any]:
        """For the calibration's file, in percent."""
        return {
            "family_left_out": percent(self.family),
            "smallest_and_largest_left_out": percent(self.size),
            "half_width": round(self.rate.half_width, 4),
        }


def test_rates(groups: Sequence[CalibrationGroup], tables: Tables) -> dict[MeasurementConditions, RateTest]:
    """Of every calibration that a table of instructions serves."""
    errors: dict[MeasurementConditions, tuple[CalibrationGroup, InstructionTable, list[float], list[float]]] = {}
    for g in groups:
        table = table_for(
            g.conditions.runtime, g.conditions.precision, instruction_set(boards().get(g.conditions.board)), tables
        )
        rate_terms = countable(g.conditions.runtime, g.totals)
        if table is not None and g.conditions.processor == "cpu" and rate_terms.sum() > 1:
            g = g.keep(rate_terms)
            errors[g.conditions] = (g, table, *left_out_errors(g, table))
    left = {c: [*by_family, *by_size] for c, (_, _, by_family, by_size) in errors.items()}
    tested = {}
    for conditions, (g, table, by_family, by_size) in errors.items():
        logs = g.log_ms - np.log(table.millions(static_counted(g.totals)))
        rate = InstructionRate(
            table.runtime,
            table.precision,
            log_ms=round(log_rate(g, table), 5),
            half_width=round(_width(conditions, by_family, by_size, left), 4),
            pair_error=round(_apart(logs - np.median(logs), g.totals), 4),
            instruction_set=table.instruction_set,
        )
        tested[conditions] = RateTest(rate, tuple(by_family), tuple(by_size))
    return tested


def _width(
    conditions: MeasurementConditions,
    by_family: Sequence[float],
    by_size: Sequence[float],
    left: Mapping[MeasurementConditions, Sequence[float]],
) -> float:
    """Of a 90 % interval; with few errors of its own, a calibration borrows the nearest ones' that make enough.

    Nearest are other versions on the same board, then boards whose cores issue instructions alike, in order or out of order, then
    all of the population; each calibration counts alike.
    """
    if len(by_family) >= OWN_SCORES_FROM and len(by_size) >= OWN_SCORES_FROM:
        return max(quantile(map(abs, by_family)), quantile(map(abs, by_size)))

    def runtime(c: MeasurementConditions) -> bool:
        return c.runtime == conditions.runtime and (OLD_SYSTEM in c.version) == (OLD_SYSTEM in conditions.version)

    circles = (
        lambda c: runtime(c) and c.board == conditions.board,
        lambda c: runtime(c) and in_order(c.board) == in_order(conditions.board),
        lambda _: True,
    )
    for near in circles:
        near_errors = [errors for c, errors in left.items() if near(c) and errors]
        if sum(len(errors) for errors in near_errors) >= OWN_SCORES_FROM:
            return weighted_quantile((abs(e), 1 / len(errors)) for errors in near_errors for e in errors)
    return max((abs(e) for errors in left.values() for e in errors), default=UNKNOWN)


def pooled_widths(tests: Iterable[RateTest]) -> dict[str, float] | None:
    """For a board of which too little is measured: half width of an interval, error of a pair."""
    rate_tests = list(tests)
    errors = [abs(e) for t in rate_tests for e in (*t.family, *t.size)]
    if not errors:
        return None
    pair = float(np.median([t.rate.pair_error for t in rate_tests]))
    return {"half_width": round(quantile(errors), 4), "pair_error": round(pair, 4)}


def pair_error(results: Sequence[LeftOut], group: CalibrationGroup) -> float | None:
    """How far the errors of two left-out networks are apart, nine in ten pairs, for each unit of work they do not share."""
    mean: dict[Any, list[float]] = {}
    for r in results:
        mean.setdefault(r.network, []).append(math.log(r.measured_ms / r.predicted_ms))
    at = [i for i, n in enumerate(group.networks) if n in mean]
    if len(at) < 3:
        return None
    return round(_apart(np.array([np.mean(mean[group.networks[i]]) for i in at]), group.totals[at]), 4)


def _apart(errors: Array, totals: Array) -> float:
    first, second = np.triu_indices(len(errors), 1)
    apart = 1 - shared_share(totals[first], totals[second])
    return quantile(np.abs(errors[first] - errors[second]) / np.maximum(apart, LEAST_APART))


def left_out_errors(group: CalibrationGroup, table: InstructionTable) -> tuple[list[float], list[float]]:
    """log(measured / predicted) of every run, with its family left out; with the smallest or the largest third left out."""
    logs = np.log(table.millions(static_counted(group.totals)))
    families, order = np.array(group.families), np.argsort(np.argsort(logs, kind="stable"), kind="stable")
    third = len(logs) // 3
    by_family = [families == f for f in sorted(set(families))]
    by_size = [order < third, order >= len(logs) - third] if third else []
    return _errors(group, table, logs, by_family), _errors(group, table, logs, by_size)


def _errors(group: CalibrationGroup, table: InstructionTable, logs: Array, masks: Sequence[Array]) -> list[float]:
    errors = []
    for mask in masks:
        if not mask.all() and mask.any():
            rate = log_rate(group, table, ~mask)
            errors += [float(run - rate - logs[i]) for i in np.flatnonzero(mask) for run in group.runs[i]]
    return errors


def percent(errors: Sequence[float]) -> dict[str, float | int]:
    """Mean absolute error and bias."""
    if not errors:
        return {"n": 0}
    relative = 100 * np.expm1(-np.array(errors))
    return {
        "n": len(errors),
        "mean_abs_percent": round(float(np.abs(relative).mean()), 2),
        "bias_percent": round(float(relative.mean()), 2),
    }
