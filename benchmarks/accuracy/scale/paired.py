"""Differences of two networks that were trained alike with the same seeds and answered the same test images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from benchmarks.accuracy.scale.rows import Row
from eamdeploy.base.results import AccuracyResult
from eamdeploy.runs.compare.proportions import compare_accuracy

# 97.5 % point of Student's t by degrees of freedom; beyond the table its last, which is a little too wide
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


@dataclass(frozen=True)
class PairedDifference:
    """``b`` minus ``a`` in points of top-1.

    Attributes:
        by_seed: the difference of each seed that both have.
        mean: over the seeds.
        seeds95: the 95 % interval of the mean by Student's paired t over the seeds: what another seed may give. ``None``
            with one seed.
        images95: the 95 % interval over the test images of all seeds whose answers were kept, together, image by image:
            what other images may give for these very networks. ``None`` where no seed's answers were kept.
    """

    by_seed: tuple[float, ...]
    mean: float
    seeds95: tuple[float, float] | None
    images95: tuple[float, float] | None

    @property
    def differs(self) -> bool:
        """Whether the interval over the seeds excludes no difference."""
        return self.seeds95 is not None and not self.seeds95[0] <= 0 <= self.seeds95[1]


def paired(a: Sequence[Row], b: Sequence[Row]) -> PairedDifference | None:
    """Compare by seed; ``None`` where the two share no seed."""
    row_by_seed = {row.seed: row for row in a}
    pairs = [(row_by_seed[row.seed], row) for row in b if row.seed in row_by_seed]
    if not pairs:
        return None
    differences = tuple(right.top1 - left.top1 for left, right in pairs)
    return PairedDifference(differences, mean(differences), _student(differences), _over_images(pairs))


def _over_images(pairs: Sequence[tuple[Row, Row]]) -> tuple[float, float] | None:
    answered = [pair for pair in pairs if all(row.correct is not None for row in pair)]
    if not answered:
        return None
    together = [_pooled([pair[side] for pair in answered]) for side in (0, 1)]
    images = compare_accuracy(together[0], together[1])
    return images.low, images.high


def _student(differences: Sequence[float]) -> tuple[float, float] | None:
    if len(differences) < 2:
        return None
    reach = STUDENT[min(len(differences) - 1, len(STUDENT)) - 1] * stdev(differences) / math.sqrt(len(differences))
    return mean(differences) - reach, mean(differences) + reach


def _pooled(rows: Sequence[Row]) -> AccuracyResult:
    """All seeds' answers one behind the other, as one result over so many images."""
    bits, count = 0, 0
    for row in rows:
        bits |= int(row.correct or "0", 16) << count
        count += row.images
    return AccuracyResult(top1=100 * bits.bit_count() / count, n=count, data="test", correct=f"{bits:x}")
