"""Differences of two accuracies, with intervals: over the same images where each image's result is known, else not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from eamdeploy.base.results import AccuracyResult


@dataclass(frozen=True)
class AccuracyDifference:
    """``b`` minus ``a`` in percentage points; negative is worse.

    Attributes:
        points: the difference observed.
        low, high: interval at ``level``: what the difference over all such images may be.
        method: ``paired`` image by image, or ``unpaired`` (wider).
        gained, lost: of a paired difference, images that only ``b``, or only ``a``, got right.
    """

    points: float
    low: float
    high: float
    level: float
    method: Literal["paired", "unpaired"]
    gained: int | None = None
    lost: int | None = None


def compare_accuracy(a: AccuracyResult, b: AccuracyResult, *, level: float = 0.95) -> AccuracyDifference:
    """Compare two top-1 accuracies: image by image where both were over the same ones."""
    bits_a, bits_b = _bits(a), _bits(b)
    if bits_a is not None and bits_b is not None and a.n == b.n and same_images(a, b):
        return _paired(bits_a, bits_b, a.n, level)
    return _unpaired(a, b, level)


def same_images(a: AccuracyResult, b: AccuracyResult) -> bool:
    """Whether both were over the same images; runs of before these had a digest know each other's by name alone."""
    return a.images == b.images if a.images or b.images else a.data == b.data


def _paired(bits_a: int, bits_b: int, count: int, level: float) -> AccuracyDifference:
    """A. Agresti and Y. Min, "Simple improved confidence intervals for comparing matched proportions", 2005."""
    gained = (bits_b & ~bits_a).bit_count()
    lost = (bits_a & ~bits_b).bit_count()
    reach = NormalDist().inv_cdf(0.5 + level / 2.0)
    centre = (gained - lost) / (count + 2)
    spread = (gained + lost + 1) / (count + 2) - centre**2
    half = reach * math.sqrt(max(spread, 0.0) / (count + 2))
    observed = (gained - lost) / count
    low, high = min(centre - half, observed), max(centre + half, observed)
    if bits_a == bits_b:
        low = high = 0.0  # the same answers to the same images: the same function as far as can be seen
    return AccuracyDifference(100 * observed, 100 * low, 100 * high, level, "paired", gained, lost)


def _unpaired(a: AccuracyResult, b: AccuracyResult, level: float) -> AccuracyDifference:
    """R. Newcombe, "Interval estimation for the difference between independent proportions", 1998, method 10."""
    share_a, share_b = a.top1 / 100, b.top1 / 100
    low_a, high_a = wilson(share_a, a.n, level)
    low_b, high_b = wilson(share_b, b.n, level)
    difference = share_b - share_a
    low = difference - math.hypot(share_b - low_b, high_a - share_a)
    high = difference + math.hypot(high_b - share_b, share_a - low_a)
    return AccuracyDifference(100 * difference, 100 * low, 100 * high, level, "unpaired")


def wilson(share: float, count: int, level: float = 0.95) -> tuple[float, float]:
    """E. Wilson's score interval of a proportion observed over ``count`` images."""
    if count <= 0:
        return 0.0, 1.0
    square = NormalDist().inv_cdf(0.5 + level / 2.0) ** 2
    centre = (share + square / (2 * count)) / (1 + square / count)
    half = math.sqrt(square * (share * (1 - share) / count + square / (4 * count**2))) / (1 + square / count)
    return max(0.0, centre - half), min(1.0, centre + half)


def _bits(result: AccuracyResult) -> int | None:
    """The images' results as one number, a bit per image, or ``None`` where they were not kept."""
    try:
        return None if result.correct is None else int(result.correct, 16)
    except ValueError:
        return None
