"""Differences of two accuracies, with intervals: over the same images where each image's result is known, else not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from eamdeploy.base.intervals import LEVEL, paired_interval, unpaired_interval
from eamdeploy.base.results import AccuracyResult


@dataclass(frozen=True)
class AccuracyDifference:
    """``b`` minus ``a`` in percentage points; negative is worse.

    Attributes:
        points: the difference observed.
        low, high: interval at ``level``: what the difference over all such images may be; never of width zero.
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
    if bits_a is None or bits_b is None or a.n != b.n or not same_images(a, b):
        low, high = unpaired_interval(a.top1 / 100, a.n, b.top1 / 100, b.n, level)
        return AccuracyDifference(b.top1 - a.top1, 100 * low, 100 * high, level, "unpaired")
    gained = (bits_b & ~bits_a).bit_count()
    lost_count = (bits_a & ~bits_b).bit_count()
    low, high = paired_interval(gained, lost_count, a.n, level)
    return AccuracyDifference(
        100 * (gained - lost_count) / a.n,
        100 * low,
        high=100 * high,
        level=level,
        method="paired",
        gained=gained,
        lost=lost_count,
    )


def compare_metrics(a: AccuracyResult, b: AccuracyResult, *, level: float = LEVEL) -> AccuracyDifference:
    """Compare what fits the heads of both: image by image where both were over the same ones, else by intervals."""
    first, other = a.metric, b.metric
    if first is None or other is None or first.name != other.name:
        raise ValueError("two results without a metric in common")
    points = other.value - first.value
    paired = same_images(a, b) and len(first.shares) == len(other.shares) == a.n
    if paired:
        spread = sum((y - x) ** 2 for x, y in zip(first.shares, other.shares, strict=True))
        error = math.sqrt(spread / max(a.n * (a.n - 1), 1))
        low = high = NormalDist().inv_cdf(0.5 + level / 2) * math.hypot(error, max(first.least, other.least))
    else:
        low = math.hypot(other.value - other.low, first.high - first.value)
        high = math.hypot(other.high - other.value, first.value - first.low)
    method: Literal["paired", "unpaired"] = "paired" if paired else "unpaired"
    return AccuracyDifference(points, points - low, high=points + high, level=level, method=method)


def same_images(a: AccuracyResult, b: AccuracyResult) -> bool:
    """Whether both were over the same images; runs of before these had a digest know each other's by name alone."""
    return a.images == b.images if a.images or b.images else a.data == b.data


def _bits(result: AccuracyResult) -> int | None:
    """The images' results as one number, a bit per image, or ``None`` where they were not kept."""
    try:
        return None if result.correct is None else int(result.correct, 16)
    except ValueError:
        return None
