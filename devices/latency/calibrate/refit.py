"""Refit from the user's own measurements: two networks measured on a board are enough to start.

The fit starts from what the population of that runtime and precision says about relative costs; the user's runs set the
board's speed and, as they become more, its departures. With two networks the interval is what nine in ten networks needed on
published boards that were held out and known by two; with nine or more it comes from leaving each of the user's own out.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from devices.latency.calibrate.anchors import DOUBTED_FROM, contradiction
from devices.latency.estimate.choose import RUNTIMES
from devices.latency.estimate.userstore import folder
from devices.latency.graph.extract import extract_features
from devices.latency.model.calibration import OWN_INTERVALS_FROM, Calibration, from_group, write_calibration
from devices.latency.model.fit.conformal import quantile
from devices.latency.model.fit.fitting import Prior
from devices.latency.model.groups import CalibrationGroup, Priors
from devices.latency.model.hardware import board_of, boards, instruction_set
from devices.latency.model.instructions import WITH_XNNPACK, countable, table_for
from devices.latency.model.measurements import MeasurementConditions
from devices.latency.model.model import SPREAD_FLOOR
from devices.latency.model.populations import POPULATIONS
from devices.latency.model.rate import InstructionRate, log_rate
from devices.latency.model.terms import term_matrix
from eamdeploy.base.errors import UsageError

LEAST = 2


@dataclass(frozen=True)
class MeasuredRun:
    """One of the user's measurements.

    Attributes:
        path: of the artifact that ran.
        milliseconds: median of one inference.
        device: the board's own name where it has one, otherwise the profile's.
        profile: of the board.
        source: what to cite: the run's id.
    """

    path: Path
    milliseconds: float
    device: str
    runtime: str
    runtime_version: str
    precision: str
    threads: int
    source: str = ""
    profile: str = ""


@cache
def shipped_priors() -> dict[str, Any]:
    """The populations' costs and widths."""
    document: dict[str, Any] = json.loads(
        resources.files("devices.latency").joinpath("data/priors.json").read_text(encoding="utf-8")
    )
    return document


def population_priors(name: str) -> Priors:
    """The shipped prior of one population."""
    out: Priors = {}
    for structure, prior in shipped_priors()["priors"][name].items():
        terms = tuple(prior["mu"])
        out[structure] = (terms, Prior(np.array(list(prior["mu"].values())), np.array(list(prior["tau"].values()))))
    return out


def calibrate(runs: Sequence[MeasuredRun], out: Path | None = None) -> list[Calibration]:
    """As `calibrate_all`, without saying what could not be fitted."""
    return calibrate_all(runs, out)[0]


def calibrate_all(runs: Sequence[MeasuredRun], out: Path | None = None) -> tuple[list[Calibration], list[str]]:
    """Fit one calibration for each device, runtime, version, precision and thread count in `runs`, and store it.

    Returns:
        the calibrations, also written to `out` (the user's data folder by default), where `estimate` prefers them; and
        a line for each of the conditions under which too few networks were measured.

    Raises:
        UsageError: fewer than two different networks under all conditions, or an artifact that can't be read.
    """
    done, short = [], []
    for conditions, group_runs in _by_conditions(runs).items():
        group, dynamic = _group(conditions, group_runs)
        if len(group.networks) < LEAST:
            short.append((conditions, len(group.networks)))
        else:
            done.append(_fit(group, _population(conditions), dynamic, group_runs[0].profile))
    if short and not done:
        conditions, networks = short[0]
        raise UsageError(
            f"{networks} network measured, at least {LEAST} different ones are needed",
            where=_words(conditions),
            hint="bench another network on the same board, e.g. one of another width",
        )
    for calibration in done:
        write_calibration(calibration, out or folder())
    return done, [f"{_words(c)}: {n} network measured, at least {LEAST} are needed" for c, n in short]


def _by_conditions(runs: Iterable[MeasuredRun]) -> dict[MeasurementConditions, list[MeasuredRun]]:
    groups: dict[MeasurementConditions, list[MeasuredRun]] = {}
    for run in runs:
        if not (run.milliseconds > 0 and math.isfinite(run.milliseconds)):
            raise UsageError("a latency is no positive number", where=run.source or run.path, why=run.milliseconds)
        groups.setdefault(_conditions(run), []).append(run)
    return groups


def _conditions(run: MeasuredRun) -> MeasurementConditions:
    return _named_conditions(run.device, run.runtime, run.runtime_version, run.precision, run.threads)


@cache
def _named_conditions(device: str, runtime: str, version: str, precision: str, threads: int) -> MeasurementConditions:
    # patch releases share a calibration
    release = ".".join(re.findall(r"\d+", version)[:2])
    return MeasurementConditions(
        device,
        "cpu",
        runtime=RUNTIMES.get(runtime, (runtime,))[0],
        version=release,
        precision=precision,
        threads=str(threads),
    )


def _group(conditions: MeasurementConditions, runs: list[MeasuredRun]) -> tuple[CalibrationGroup, bool]:
    """Runs of artifacts with equal operators are one network, measured several times."""
    totals: dict[tuple[float, ...], np.ndarray] = {}
    names: dict[tuple[float, ...], tuple[str, str, str]] = {}
    times: dict[tuple[float, ...], list[tuple[int, float]]] = {}
    dynamic = False
    of_file: dict[Path, list[tuple[int, float]]] = {}  # many runs are of one file
    for run in runs:
        of_file.setdefault(run.path, []).append((0, math.log(run.milliseconds)))
    for path, measured in of_file.items():
        features = extract_features(path)
        x = term_matrix(features.records).sum(0)
        key = tuple(np.round(x, 6))
        dynamic = dynamic or features.is_dynamic
        totals[key] = x
        names.setdefault(key, (features.family or features.name, features.name, str(features.input_px)))
        times.setdefault(key, []).extend(measured)
    keys = sorted(totals)
    sources = tuple(sorted({r.source or r.path.name for r in runs}))
    group = CalibrationGroup(
        conditions,
        tuple(names[k] for k in keys),
        np.stack([totals[k] for k in keys]),
        tuple(tuple(times[k]) for k in keys),
        sources,
    )
    return group, dynamic


def _population(conditions: MeasurementConditions) -> str:
    for population in POPULATIONS:
        if (
            population.processor == "cpu"
            and conditions.runtime in population.runtimes
            and conditions.precision in population.precisions
        ):
            return population.name
    # a runtime nobody published: the relative costs of TFLite's kernels are where it starts
    return "tflite-int8" if conditions.precision == "int8" else "tflite-fp32"


def _fit(group: CalibrationGroup, population: str, dynamic: bool, profile: str) -> Calibration:
    priors = population_priors(population)
    widths = shipped_priors()["widths"][population]
    scores = _leave_one_out(group, priors)
    anchored = widths["two_anchors"]
    spreads = float(anchored["spreads"] if anchored else widths["out_of_family"] or widths["in_family"])
    plain = float(anchored["error"]) if anchored else None
    enough = len(scores) >= OWN_INTERVALS_FROM
    inside = quantile(s for s, _ in scores) if enough else spreads
    network_error = quantile(abs(math.log1p(e)) for _, e in scores) if enough else plain
    errors = [100 * e for _, e in scores]
    tests: dict[str, Any] = (
        {"leave_network_out": {"n": len(errors), "mean_abs_percent": round(float(np.mean(np.abs(errors))), 2)}}
        if errors
        else {}
    )
    if len(group.networks) == LEAST:
        apart, deviations = contradiction(group.totals, group.log_ms, priors)
        factor = math.exp(abs(apart))
        tests["anchors"] = {
            "factor_apart": round(factor, 2),
            "standard_deviations": round(abs(deviations), 2),
            "doubted": abs(deviations) >= DOUBTED_FROM,
        }
    tests["when"] = datetime.now(UTC).isoformat(timespec="seconds")
    tests["dynamic_networks"] = dynamic
    return from_group(
        group,
        group.model(priors),
        inside,
        max(inside, spreads),
        network_error=network_error,
        family_error=plain,
        tests=tests,
        origin="measured",
        prior=population,
        profile=profile,
        rate=_rate(group, profile, widths["instructions"]),
        pair_error=widths["pair_error"],
        beyond=widths["beyond"],
        sources=group.sources,
    )


def _rate(group: CalibrationGroup, profile: str, widths: Mapping[str, float] | None) -> InstructionRate | None:
    """The board's own rate; how wrong rates go is known from published boards."""
    board = boards().get(group.conditions.board) or board_of(profile or group.conditions.board)
    runtime = group.conditions.runtime
    # the user's runs of LiteRT are with XNNPACK, whatever the published rows beside them are
    own_runtime = WITH_XNNPACK if runtime == "TFLite" else runtime
    table = table_for(own_runtime, group.conditions.precision, instruction_set(board))
    rate_terms = countable(group.conditions.runtime, group.totals)
    if table is None or widths is None or not rate_terms.any():
        return None
    group = group.keep(rate_terms)
    rate = round(log_rate(group, table), 5)
    return InstructionRate(
        table.runtime,
        table.precision,
        log_ms=rate,
        half_width=widths["half_width"],
        pair_error=widths["pair_error"],
        instruction_set=table.instruction_set,
    )


def _leave_one_out(group: CalibrationGroup, priors: Priors) -> list[tuple[float, float]]:
    """(score, relative error) of each network without itself; needs three."""
    if len(group.networks) <= LEAST:
        return []
    out = []
    for i in range(len(group.networks)):
        mask = np.arange(len(group.networks)) != i
        prediction = group.keep(mask).model(priors).predict(group.totals[i : i + 1])
        difference = float(group.log_ms[i] - prediction.log_ms[0])
        out.append((abs(difference) / max(float(prediction.spread[0]), SPREAD_FLOOR), math.expm1(-difference)))
    return out


def _words(conditions: MeasurementConditions) -> str:
    c = conditions
    return f"{c.board}, {c.runtime} {c.version}, {c.precision}, {c.threads} threads"


__all__ = ["MeasuredRun", "calibrate", "calibrate_all", "population_priors"]
