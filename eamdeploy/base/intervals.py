"""Confidence intervals of shares and of their differences: one method for every command, never of width zero.

A share (an accuracy) has Wilson's score interval. The difference of two shares has Agresti and Min's interval where the
same images were judged twice, and Newcombe's where they were not. None of them is degenerate at 0 or 100 %, and none
leaves the range that a share can have.
"""

from __future__ import annotations

import math
from statistics import NormalDist

LEVEL = 0.95
# no clock, no machine and no number of samples makes a latency known to less than a ten-thousandth
LEAST_RELATIVE = 1e-4


def share_interval(share: float, count: int, level: float = LEVEL) -> tuple[float, float]:
    """E. Wilson's score interval of a share, from 0 to 1, observed over ``count`` images."""
    if count <= 0:
        return 0.0, 1.0
    square = _reach(level) ** 2
    centre = (share + square / (2 * count)) / (1 + square / count)
    half = math.sqrt(square * (share * (1 - share) / count + square / (4 * count**2))) / (1 + square / count)
    # the share itself is always inside: at 0 and 1 only rounding could say otherwise
    return max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share))


def paired_interval(gained: int, lost: int, count: int, level: float = LEVEL) -> tuple[float, float]:
    """The interval of ``(gained - lost) / count`` over the same ``count`` images.

    A. Agresti and Y. Min, "Simple improved confidence intervals for comparing matched proportions", Statistics in
    Medicine 24 (2005).

    Args:
        gained: images that only the second answers rightly.
        lost: images that only the first answers rightly.
    """
    if count <= 0:
        return -1.0, 1.0
    centre = (gained - lost) / (count + 2)
    spread = (gained + lost + 1) / (count + 2) - centre**2
    half = _reach(level) * math.sqrt(max(spread, 0.0) / (count + 2))
    observed = (gained - lost) / count
    return max(-1.0, min(centre - half, observed)), min(1.0, max(centre + half, observed))


def unpaired_interval(
    share_a: float, count_a: int, share_b: float, count_b: int, level: float = LEVEL
) -> tuple[float, float]:
    """The interval of ``share_b - share_a`` over different images.

    R. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17
    (1998), method 10.
    """
    low_a, high_a = share_interval(share_a, count_a, level)
    low_b, high_b = share_interval(share_b, count_b, level)
    difference = share_b - share_a
    low = difference - math.hypot(share_b - low_b, high_a - share_a)
    high = difference + math.hypot(high_b - share_b, share_a - low_a)
    return max(-1.0, low), min(1.0, high)


def at_least(low: float, point: float, high: float, least: float = LEAST_RELATIVE) -> tuple[float, float]:
    """An interval around ``point``, no narrower than ``least`` on either side: equal samples are no certainty."""
    return min(low, point - least), max(high, point + least)


def _reach(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 2.0)
