"""From measurements to calibration files: fit everything, test everything, write what the package ships.

`python -m benchmarks.latency.rebuild` is the command; this is the library function behind it. Nothing here looks at a
board's or a model's name other than to group rows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.latency.gather.grouping import fit_priors, make_groups
from benchmarks.latency.gather.instruction_table import fit_tables, read_counts, write_tables
from benchmarks.latency.gather.measured_networks import load_networks
from benchmarks.latency.gather.rows import LatencyRow
from benchmarks.latency.trials.anchors import Anchored, anchor_coverage, anchor_width, hold_out_boards
from benchmarks.latency.trials.nested import covered, enough_of_its_own, errors_without
from benchmarks.latency.trials.one_thread import OneThreadTest, evaluate_one_thread
from benchmarks.latency.trials.rates import RateTest, pair_error, pooled_widths, test_rates
from benchmarks.latency.trials.transfer import transfers
from benchmarks.latency.trials.validation import (
    OWN_SCORES_FROM,
    LeftOut,
    beyond_factor,
    coverage,
    leave_out,
    width_in_spreads,
)
from devices.latency.model.calibration import Calibration, from_group, write_calibration
from devices.latency.model.fit.conformal import quantile
from devices.latency.model.groups import CalibrationGroup, Priors
from devices.latency.model.instructions import Tables, keyed
from devices.latency.model.measurements import MeasurementConditions
from devices.latency.model.populations import POPULATIONS, Population
from eamdeploy.base.files import atomic_write_text
from eamdeploy.base.progress import SILENT, Progress

SHIPPED_FROM = 4  # networks a calibration needs to be shipped


@dataclass(frozen=True)
class Evaluated:
    """One population with everything that was tested on it.

    Attributes:
        by_network, by_family: every measurement predicted without its network, without its family.
        rates: instructions turned into time, tested likewise.
        without: for each family the others' errors, from fits that saw neither.
        by_board: boards known by two networks.
        one_thread: one thread's rates, which rest on every population together; empty while a population stands alone.
    """

    population: Population
    groups: list[CalibrationGroup]
    priors: Priors
    by_network: list[LeftOut]
    by_family: list[LeftOut]
    without: dict[str, list[LeftOut]]
    by_board: dict[MeasurementConditions, Anchored]
    rates: dict[MeasurementConditions, RateTest]
    one_thread: Mapping[MeasurementConditions, OneThreadTest] = field(default_factory=dict)


def evaluate_population(rows: Sequence[LatencyRow], population: Population, tables: Tables) -> Evaluated | None:
    """Fit and test one population; None where no calibration of it has enough networks."""
    groups = [g for g in make_groups(rows, load_networks(), population) if len(g.networks) >= SHIPPED_FROM]
    if not groups:
        return None
    return Evaluated(
        population,
        groups,
        priors=fit_priors(groups, population),
        by_network=leave_out(groups, population, "network"),
        by_family=leave_out(groups, population, "family"),
        without=errors_without(groups, population),
        by_board=hold_out_boards(groups, population),
        rates=test_rates(groups, tables),
    )


def rebuild(rows: Sequence[LatencyRow], out: Path, progress: Progress = SILENT) -> list[Evaluated]:
    """Write `calibrations/*.json`, `priors.json` and `transfers.json` under `out`; returns all tests for the report."""
    networks = load_networks()
    unknown = {row.network[0] for row in rows if row.network not in networks}
    if unknown:
        progress.stage(f"left out, operators not known: {', '.join(sorted(unknown))}")
    counted = fit_tables(read_counts())
    write_tables(counted, out / "instructions.json")
    tables = keyed(c.table for c in counted)
    tested = []
    for population in POPULATIONS:
        done = evaluate_population(rows, population, tables)
        if done is not None:
            tested.append(done)
            progress.stage(f"{population.name}: {len(done.groups)} calibrations")
    one_thread = evaluate_one_thread((g for t in tested for g in t.groups), tables)
    tested = [replace(t, one_thread=one_thread) for t in tested]
    write_all(tested, out, tables)
    return tested


def write_all(tested: Sequence[Evaluated], out: Path, tables: Tables) -> None:
    """Write what the package ships, and remove calibrations that are no longer made."""
    written, any_family = set(), strangers(tested)
    for t in tested:
        for calibration in calibrations(t, any_family):
            written.add(write_calibration(calibration, out / "calibrations").name)
    for stale in (out / "calibrations").glob("*.json"):
        if stale.name not in written:
            stale.unlink()
    priors = {t.population.name: {s: _prior_dict(p) for s, p in t.priors.items()} for t in tested}
    widths = {t.population.name: _pooled_widths(t) for t in tested}
    _write(out / "priors.json", {"schema_version": 1, "priors": priors, "widths": widths})
    _write(out / "transfers.json", {"schema_version": 1, **transfers([g for t in tested for g in t.groups], tables)})


def strangers(tested: Sequence[Evaluated]) -> list[LeftOut]:
    """Families left out anywhere: they speak for a population of one family, whose own tests say nothing of another."""
    return [r for t in tested for r in t.by_family]


def calibrations(t: Evaluated, any_family: Sequence[LeftOut] = ()) -> list[Calibration]:
    """The calibrations of one population, each with its own tests.

    Args:
        t: the population.
        any_family: see `strangers`.
    """
    out = []
    models = {g.conditions: g.model(t.priors) for g in t.groups}
    beyond = beyond_factor(t.by_network)
    for g in t.groups:
        network_errors, family = _of(g, t.by_network), _of(g, t.by_family)
        near = network_errors if len(network_errors) >= OWN_SCORES_FROM else t.by_network
        far = family if enough_of_its_own(family) else t.by_family or any_family
        inside = covered(family, t.without) if family else []
        tests: dict[str, Any] = {
            "leave_network_out": summary(network_errors, coverage(network_errors, "network", beyond)),
            "leave_family_out": summary(family, float(np.mean(inside)) if inside else math.nan)
            | {
                "coverage90_by_others_percent": _percent(coverage(family, "family")),
                "families": _by_family(family),
            },
            "repeated_percent": repeated(g),
        }
        rate = None
        if (rated := t.rates.get(g.conditions)) is not None:
            rate, tests["by_instructions"] = rated.rate, rated.summary()
            if (alone := t.one_thread.get(g.conditions)) is not None:
                rate = replace(rate, one_thread=alone.rate)
                tests["by_instructions"]["one_thread"] = alone.summary()
        if anchored := t.by_board.get(g.conditions):
            tests["board_held_out"] = {
                "anchors": ["-".join(x for x in network if x) for network in anchored.anchors],
                **summary(anchored.results, math.nan),
                "coverage90_percent": anchor_coverage(g.conditions, t.by_board),
            }
        out.append(
            from_group(
                g,
                models[g.conditions],
                width_in_spreads(near),
                quantile(r.score for r in far),
                network_error=quantile(r.log_error for r in near),
                family_error=quantile(r.log_error for r in far),
                pair_error=pair_error(network_errors, g),
                beyond=beyond,
                rate=rate,
                tests=tests,
                prior=t.population.name,
            )
        )
    return out


def summary(results: Sequence[LeftOut], inside: float) -> dict[str, float | int | None]:
    """Errors in percent; `inside` is the share of intervals that held."""
    if not results:
        return {"n": 0}
    errors = np.array([100 * r.error for r in results])
    return {
        "n": len(errors),
        "mean_abs_percent": round(float(np.abs(errors).mean()), 2),
        "median_abs_percent": round(float(np.median(np.abs(errors))), 2),
        "within_10_percent": round(100 * float(np.mean(np.abs(errors) <= 10)), 1),
        "bias_percent": round(float(errors.mean()), 2),
        "worst_percent": round(float(errors[np.argmax(np.abs(errors))]), 1),
        "coverage90_percent": _percent(inside),
    }


def _percent(share: float) -> float | None:
    return None if math.isnan(share) else round(100 * share, 1)


def repeated(g: CalibrationGroup) -> float | None:
    """How far a publisher's repeated measurements of one network are apart, in percent of the larger, on average."""
    apart = []
    for timed in g.timed:
        for threads in {n for n, _ in timed}:
            same = [log for n, log in timed if n == threads]
            if len(same) > 1:
                apart.append(100 * (1 - math.exp(min(same) - max(same))))
    return round(float(np.mean(apart)), 2) if apart else None


def _of(g: CalibrationGroup, results: Sequence[LeftOut]) -> list[LeftOut]:
    return [r for r in results if r.conditions == g.conditions]


def _by_family(results: Sequence[LeftOut]) -> dict[str, dict[str, float | int]]:
    out = {}
    for name in sorted({r.family for r in results}):
        errors = [100 * r.error for r in results if r.family == name]
        out[name] = {
            "n": len(errors),
            "mean_abs_percent": round(float(np.mean(np.abs(errors))), 2),
            "bias_percent": round(float(np.mean(errors)), 2),
        }
    return out


def _pooled_widths(t: Evaluated) -> dict[str, Any]:
    anchored = anchor_width(t.by_board)
    return {
        "in_family": round(width_in_spreads(t.by_network), 4),
        "beyond": round(beyond_factor(t.by_network), 4),
        "out_of_family": round(quantile(r.score for r in t.by_family), 4) if t.by_family else None,
        "instructions": pooled_widths(t.rates.values()),
        "pair_error": pooled_pair_error(t),
        "two_anchors": anchored and {"spreads": round(anchored.by_spread, 4), "error": round(anchored.plain, 4)},
    }


def pooled_pair_error(t: Evaluated) -> float | None:
    """Of a board of which too little is measured: the median of the published ones'."""
    pair_errors = [e for g in t.groups if (e := pair_error(_of(g, t.by_network), g)) is not None]
    return round(float(np.median(pair_errors)), 4) if pair_errors else None


def _prior_dict(prior: tuple[tuple[str, ...], Any]) -> dict[str, dict[str, float]]:
    terms, values = prior
    return {
        "mu": {t: round(float(v), 5) for t, v in zip(terms, values.mu, strict=True)},
        "tau": {t: round(float(v), 5) for t, v in zip(terms, values.tau, strict=True)},
    }


def _write(path: Path, document: dict[str, Any]) -> None:
    atomic_write_text(path, json.dumps(document, indent=1, allow_nan=False) + "\n")
