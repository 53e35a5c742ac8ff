"""How wrong it is to carry a calibration to another board, runtime or thread count: measured on all published pairs.

Only the newest version of each runtime on each board counts, as only that is carried over. A factor comes from pairs of
conditions in which the same networks were measured. An estimate that was carried over is as much wider as the pairs'
90 % quantile says; with few pairs that is their largest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from devices.latency.model.groups import Group
from devices.latency.model.hardware import Board, boards, log_speed_ratio
from devices.latency.model.validation import quantile

SHARED = 4  # networks two conditions must have in common
ENOUGH = 12  # networks from which a newer version is preferred over a better measured one


@dataclass(frozen=True)
class Factor:
    """What carrying over does to the logarithm of a latency.

    Attributes:
        shift: expected change.
        half_width: 90 % of single networks were within this of the expectation (conformal over pairs).
        pairs: how many pairs of conditions it comes from.
    """

    shift: float
    half_width: float
    pairs: int

    def to_dict(self) -> dict[str, Any]:
        """For the file."""
        return asdict(self)


def newest(groups: Sequence[Group]) -> list[Group]:
    """For each board, runtime, precision and thread count the newest version with a fair number of networks."""
    best: dict[tuple[str, ...], Group] = {}
    for g in groups:
        c = g.conditions
        key = (c.board, c.processor, c.runtime, c.precision, c.threads)
        if key not in best or rank(c.version, len(g.networks)) > rank(
            best[key].conditions.version, len(best[key].networks)
        ):
            best[key] = g
    return list(best.values())


def rank(version: str, networks: int) -> tuple[bool, tuple[int, ...], int]:
    """Orders calibrations of one board and runtime: enough networks first, then the newest, then the largest."""
    return networks >= ENOUGH, tuple(int(n) for n in re.findall(r"\d+", version)), networks


def likeness(source: Board, target: Board) -> str:
    """How much two boards' processors have in common."""
    if source.core != target.core:
        return "other core"
    return "same core and count" if source.cores == target.cores else "same core"


def board_factor(groups: Sequence[Group], alike: str) -> Factor | None:
    """Between boards under the same runtime and precision: what is left after the data sheets' ratio.

    Args:
        groups: of one kind of arithmetic.
        alike: see `likeness`.
    """
    left = []
    for a, b in _pairs(newest(groups)):
        c, d = a.conditions, b.conditions
        first, second = boards().get(c.board), boards().get(d.board)
        if first is None or second is None or first.name == second.name or likeness(first, second) != alike:
            continue
        if (c.runtime, c.precision, c.processor) != (d.runtime, d.precision, d.processor) or not _as_threaded(a, b):
            continue
        if c.precision == "int8" and first.dot_product != second.dot_product:
            continue
        expected = log_speed_ratio(first, second)
        if expected is not None:
            # one thread each: the number of cores is no part of the ratio
            cores = 0.0 if _threads(a) == "all" else math.log(second.cores / first.cores)
            left.append(_typical_error(np.abs(_ratios(a, b) - expected - cores)))
    return Factor(0.0, quantile(left), len(left)) if left else None


def runtime_factor(groups: Sequence[Group]) -> Factor | None:
    """Between runtimes on the same board, precision and kind of processor: not even the direction is known."""
    left = [
        _typical_error(np.abs(_ratios(a, b)))
        for a, b in _pairs(newest(groups))
        if a.conditions.board == b.conditions.board
        and a.conditions.runtime != b.conditions.runtime
        and a.conditions.precision == b.conditions.precision
        and a.conditions.processor == b.conditions.processor == "cpu"
        and _as_threaded(a, b)
    ]
    return Factor(0.0, quantile(left), len(left)) if left else None


def thread_factor(groups: Sequence[Group], cores: int) -> Factor | None:
    """From all cores to one, on boards with a similar number of cores."""
    ratios: list[float] = []
    pairs = 0
    for a, b in _pairs(newest(groups)):
        first, second = a.conditions, b.conditions
        if first.board != second.board or first.runtime != second.runtime or first.precision != second.precision:
            continue
        board = boards().get(first.board)
        if (
            board is None
            or second.threads != "1"
            or first.threads != str(board.cores)
            or abs(math.log2(board.cores / cores)) > 0.6
        ):
            continue
        ratios += list(_ratios(a, b))
        pairs += 1
    if not ratios:
        return None
    shift = float(np.median(ratios))
    return Factor(shift, float(quantile(abs(r - shift) for r in ratios)), pairs)


def _threads(group: Group) -> str | None:
    """One thread, all cores, or neither."""
    stated, board = group.conditions.threads, boards().get(group.conditions.board)
    if stated == "1":
        return "one"
    # MLPerf logs do not state threads; their harness takes the runtime's default, all cores of the fast cluster
    return "all" if not stated or (board is not None and stated == str(board.cores)) else None


def _as_threaded(a: Group, b: Group) -> bool:
    """Whether both ran on one thread, or both on all cores: four of twelve cores compare with nothing."""
    return _threads(a) is not None and _threads(a) == _threads(b)


def _pairs(groups: Sequence[Group]) -> Iterable[tuple[Group, Group]]:
    for a in groups:
        for b in groups:
            if a is not b and len(set(a.networks) & set(b.networks)) >= SHARED:
                yield a, b


def _ratios(a: Group, b: Group) -> np.ndarray:
    """log(time under b / time under a) of the networks both have."""
    of_b = dict(zip(b.networks, b.log_ms, strict=True))
    return np.array([of_b[n] - t for n, t in zip(a.networks, a.log_ms, strict=True) if n in of_b])


def _typical_error(errors: np.ndarray) -> float:
    return float(np.quantile(errors, 0.9))
