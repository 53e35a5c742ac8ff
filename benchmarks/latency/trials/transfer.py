"""How wrong it is to carry a calibration to another board, runtime or thread count: measured on all published pairs.

Only the newest version of each runtime on each board counts, as only that is carried over. A factor comes from pairs of
conditions in which the same networks were measured: nine in ten networks were within it, every pair counting alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.latency.trials.one_thread import one_thread
from benchmarks.latency.trials.weighted import weighted_quantile
from devices.latency.estimate.choose import OLD_SYSTEM, STAND_INS, rank
from devices.latency.model.fit.conformal import quantile
from devices.latency.model.groups import CalibrationGroup
from devices.latency.model.hardware import boards, instruction_set, likeness, log_speed_ratio
from devices.latency.model.instructions import Tables, countable, own_table, static_counted
from devices.latency.model.measurements import STATED

SHARED = 4  # networks two conditions must have in common
PAIR_NETWORKS = 9  # from which a conformal 90 % quantile exists
RUNTIME_PAIRS = 4  # boards on which a runtime must be measured beside another to stand in
BOARD_PAIRS = 4  # of a likeness, from which it speaks for itself
LIKENESSES = ("same core and count", "same core", "like core", "other core")
Errors = list[tuple[float, float]]  # of single networks, with their weights


def transfers(groups: Sequence[CalibrationGroup], tables: Tables) -> dict[str, Any]:
    """All factors, for the file that the package ships."""
    cpu = newest([g for g in groups if g.conditions.processor == "cpu"])
    kinds = {
        kind: [g for g in cpu if (g.conditions.precision == "int8") == (kind == "int8")] for kind in ("float", "int8")
    }
    factors: dict[str, Any] = {"board": {}, "pairs": {}, "runtime": {}, "rates": {}, "speedup": speedup_law(cpu)}
    for kind, groups_here in kinds.items():
        factors["board"][kind] = board_factors(groups_here)
        factors["pairs"][kind] = pair_factors(groups_here)
        factors["runtime"][kind] = runtime_factors(groups_here)
        if factor := rate_factor(groups_here, tables):
            factors["rates"][kind] = factor
            alone = [g for g in map(one_thread, groups_here) if g is not None]
            factors["rates"][kind]["one_thread"] = rate_factor(alone, tables)
    return factors


def newest(groups: Sequence[CalibrationGroup]) -> list[CalibrationGroup]:
    """For each board, runtime and precision, with threads stated and without, the newest version with enough networks."""
    best: dict[tuple[str, ...], CalibrationGroup] = {}
    for g in groups:
        c = g.conditions
        if OLD_SYSTEM in c.version:
            continue
        # what states no version is neither newer nor older
        key = (c.board, c.processor, c.runtime, c.precision, c.threads, str(bool(c.version)))
        if key not in best or rank(c.version, len(g.networks)) > rank(
            best[key].conditions.version, len(best[key].networks)
        ):
            best[key] = g
    return list(best.values())


def board_factors(groups: Sequence[CalibrationGroup]) -> dict[str, Any]:
    """Between boards under the same runtime and precision, by likeness: what is left after the data sheets' ratio.

    Two or three pairs of boards say little of how far the next pair is apart: what a likeness lacks of `BOARD_PAIRS` of them, all
    others make up for. Without, too few rows of boards that were left out altogether were covered.

    Args:
        groups: of one kind of arithmetic, newest versions.
    """
    left: dict[str, list[np.ndarray]] = {alike: [] for alike in LIKENESSES}
    named: dict[str, set[frozenset[str]]] = {alike: set() for alike in LIKENESSES}
    for a, b in _pairs(groups):
        c, d = a.conditions, b.conditions
        first, second = boards().get(c.board), boards().get(d.board)
        if first is None or second is None or first.name == second.name or not _comparable(a, b):
            continue
        expected = log_speed_ratio(first, second)
        if expected is None or (c.precision == "int8" and first.dot_product != second.dot_product):
            continue
        # one thread each: the number of cores is no part of the ratio
        cores = math.log(second.cores / first.cores) if c.threads == STATED else 0.0
        alike = likeness(first, second)
        left[alike].append(np.abs(_ratios(a, b) - expected - cores))
        named[alike].add(frozenset((first.name, second.name)))
    return {alike: _borrowed(left, alike, len(named[alike])) for alike in LIKENESSES if left[alike]}


def _borrowed(left: Mapping[str, Sequence[np.ndarray]], alike: str, pairs: int) -> dict[str, Any]:
    """The half width of one likeness, whose `pairs` of boards are joined by all others' as far as they are too few."""
    borrowed = [errors for name, errors_there in left.items() if name != alike for errors in errors_there]
    missing = max(BOARD_PAIRS - pairs, 0) * len(left[alike]) / pairs
    scores = [*_alike(left[alike], 1.0), *_alike(borrowed, missing / max(len(borrowed), 1))]
    return {"half_width": round(weighted_quantile(scores), 4), "pairs": pairs}


def _alike(pairs: Sequence[np.ndarray], weight: float) -> Errors:
    """The errors of all networks; each pair has the weight."""
    return [(float(e), weight / len(errors)) for errors in pairs for e in errors if weight]


def runtime_factors(groups: Sequence[CalibrationGroup]) -> dict[str, Any]:
    """From one runtime to any other on the same board and precision, by the runtime whose measurements stand in.

    Which other runtime makes no difference; measurements that state no version state no threads either, and compare with nothing.
    """
    latest: dict[tuple[str, str], CalibrationGroup] = {}
    for g in groups:
        key = (g.conditions.board, g.conditions.runtime)
        if g.conditions.runtime not in STAND_INS or not g.conditions.version:
            continue
        if key not in latest or rank(g.conditions.version, 0) > rank(latest[key].conditions.version, 0):
            latest[key] = g
    changes: dict[str, list[np.ndarray]] = {}
    for a, b in _pairs(list(latest.values())):
        if a.conditions.board == b.conditions.board and a.conditions.threads == b.conditions.threads:
            changes.setdefault(a.conditions.runtime, []).append(_ratios(a, b))
    factors = {}
    for name, factors_here in sorted(changes.items()):
        if len(factors_here) >= RUNTIME_PAIRS:
            shift = weighted_quantile(((float(r), 1 / len(rs)) for rs in factors_here for r in rs), 0.5)
            factors[name] = {"shift": round(shift, 4), **(_factor([np.abs(rs - shift) for rs in factors_here]) or {})}
    return factors


def rate_factor(groups: Sequence[CalibrationGroup], tables: Tables) -> dict[str, Any] | None:
    """How wrong it is to work off one runtime's instructions at another's rate on the same board.

    Only runtimes whose own kernels were counted; every network of the one is predicted by the median rate of the other. TFLite
    without XNNPACK is another runtime than with it, and was counted apart.
    """
    rates: list[tuple[CalibrationGroup, np.ndarray]] = []
    for g in groups:
        c = g.conditions
        table = own_table(c.runtime, c.precision, instruction_set(boards().get(c.board)), tables)
        rate_terms = countable(c.runtime, g.totals)
        if table is not None and c.precision != "fp16" and rate_terms.any():
            g = g.keep(rate_terms)
            rates.append((g, g.log_ms - np.log(table.millions(static_counted(g.totals)))))
    errors = [
        np.abs(logs - np.median(other_rates))
        for g, logs in rates
        for other, other_rates in rates
        if g.conditions.runtime != other.conditions.runtime and g.conditions.board == other.conditions.board
        # without stated threads nobody knows how many a publisher's runtime took
        if g.conditions.threads == other.conditions.threads == STATED
    ]
    return _factor(errors)


def _factor(errors: Sequence[np.ndarray]) -> dict[str, Any] | None:
    if not errors:
        return None
    half_width = weighted_quantile((float(e), 1 / len(board_errors)) for board_errors in errors for e in board_errors)
    return {"half_width": round(half_width, 4), "pairs": len(errors)}


def pair_factors(groups: Sequence[CalibrationGroup]) -> dict[str, dict[str, Any]]:
    """How much faster one board is than another, where the same networks were measured on both under the same conditions.

    Nine in ten networks, one by one, were within the half width of the median of all.
    """
    ratios: dict[tuple[str, str], dict[tuple[Any, ...], float]] = {}
    for a, b in _pairs(groups):
        if a.conditions.board == b.conditions.board or not _comparable(a, b):
            continue
        of_b = dict(zip(b.networks, b.log_ms, strict=True))
        pair_ratios = ratios.setdefault((a.conditions.board, b.conditions.board), {})
        for n, t in zip(a.networks, a.log_ms, strict=True):
            if n in of_b:
                pair_ratios[a.conditions.runtime, n] = float(of_b[n] - t)
    factors = {}
    for (first, second), by_network in sorted(ratios.items()):
        values = list(by_network.values())
        if len(values) >= PAIR_NETWORKS:
            shift = float(np.median(values))
            factors[f"{first} -> {second}"] = {
                "shift": round(shift, 4),
                "half_width": round(quantile(abs(v - shift) for v in values), 4),
                "networks": len(values),
            }
    return factors


def speedup_law(groups: Sequence[CalibrationGroup]) -> dict[str, Any]:
    """The share of the work that threads divide, and how far single networks on single boards are from it."""
    parallel, left = {}, []
    for kind in ("float", "int8"):
        groups_here = [
            g for g in groups if g.speedup.scatter and (g.conditions.precision == "int8") == (kind == "int8")
        ]
        parallel[kind] = round(float(np.median([g.speedup.parallel for g in groups_here])), 3)
        for g in groups_here:
            for n, change in g.speedup.measured.items():
                if n > 1:
                    law = math.log(1 - parallel[kind] + parallel[kind] / n)
                    left.append(math.hypot(change - law, g.speedup.scatter))
    return {"parallel": parallel, "half_width": round(quantile(left), 4), "calibrations": len(left)}


def _comparable(a: CalibrationGroup, b: CalibrationGroup) -> bool:
    """The same runtime and precision; threads stated by both, and carried to one, or by neither, and taken to be all."""
    c, d = a.conditions, b.conditions
    return (c.runtime, c.precision, c.threads, bool(c.version)) == (d.runtime, d.precision, d.threads, bool(d.version))


def _pairs(groups: Sequence[CalibrationGroup]) -> Iterable[tuple[CalibrationGroup, CalibrationGroup]]:
    for a in groups:
        for b in groups:
            if a is not b and len(set(a.networks) & set(b.networks)) >= SHARED:
                yield a, b


def _ratios(a: CalibrationGroup, b: CalibrationGroup) -> np.ndarray:
    """log(time under b / time under a) of the networks both have."""
    of_b = dict(zip(b.networks, b.log_ms, strict=True))
    return np.array([of_b[n] - t for n, t in zip(a.networks, a.log_ms, strict=True) if n in of_b])
