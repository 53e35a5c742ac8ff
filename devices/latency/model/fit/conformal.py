"""Conformal intervals: how wide, from the errors made on what was left out."""

from __future__ import annotations

import math
from collections.abc import Iterable

LEVEL = 0.9


def quantile(scores: Iterable[float], level: float = LEVEL) -> float:
    """The conformal quantile: the ceil(level (n + 1))-th smallest; the largest where there are too few."""
    ordered = sorted(scores)
    if not ordered:
        raise ValueError("no scores")
    return ordered[min(math.ceil(level * (len(ordered) + 1)), len(ordered)) - 1]


def stranger_width(by_spread: float, plain: float) -> float:
    """Half width for a network of an unmeasured family: between what its spread says and what such families erred by.

    The spread knows how far the network is from what was measured, but it can look like measured ones and not be; the plain
    error of families left out knows how wrong that goes, but not how far this one is. Their geometric mean covers best.
    """
    return math.sqrt(by_spread * plain)
