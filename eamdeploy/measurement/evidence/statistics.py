"""What a set of latencies says, and how sure one can be: percentiles and bootstrap intervals; no sample is removed.

Consecutive inferences are not independent (clock, cache and neighbours drift), and neither are those of one process
(memory layout). So the bootstrap draws blocks, one per process, with replacement, and within each block runs of
consecutive samples (moving-block bootstrap, Künsch 1989).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eamdeploy.base.intervals import at_least

Samples = npt.NDArray[np.float64]
RESAMPLES = 1000
_CONFIDENCE = 0.95
# Student's t, 97.5 %, for 1, 2, ... degrees of freedom; beyond them the normal quantile is near enough
_T975 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 1.96)
_DRAWN = 1000
_AT_ONCE = 1 << 20  # numbers held at a time


@dataclass(frozen=True)
class Summary:
    """Percentiles of latency in milliseconds over all samples, and the interval of the median."""

    p50: float
    p90: float
    p99: float
    mean: float
    ci95: tuple[float, float]

    @property
    def relative_width(self) -> float:
        """Half the interval's width as a share of the median."""
        return (self.ci95[1] - self.ci95[0]) / 2 / self.p50


def summarize(blocks: Sequence[Sequence[float]], *, seed: int = 0) -> Summary:
    """Summarise samples in milliseconds, grouped by the process they were taken in; at least one sample."""
    arrays = [np.asarray(block, dtype=np.float64) for block in blocks if len(block)]
    pooled = np.concatenate(arrays)
    p50, p90, p99 = (float(value) for value in np.percentile(pooled, [50, 90, 99]))
    if len(pooled) < 2:  # nobody knows how it would come out again
        return Summary(p50, p90, p99, p50, (p50 / 2, 2 * p50))
    low, high = _interval(np.log(bootstrap_medians(arrays, seed=seed)), math.log(p50), _pieces(arrays))
    return Summary(p50, p90, p99, float(pooled.mean()), (math.exp(low), math.exp(high)))


def relative_difference(
    first: Sequence[Sequence[float]], second: Sequence[Sequence[float]], *, seed: int = 0
) -> tuple[float, tuple[float, float]]:
    """How much slower the second is, as a share of the first's median, and its 95 % interval."""
    ones = [np.asarray(block, dtype=np.float64) for block in first if len(block)]
    twos = [np.asarray(block, dtype=np.float64) for block in second if len(block)]
    point = math.log(float(np.median(np.concatenate(twos)) / np.median(np.concatenate(ones))))
    ratios = np.log(bootstrap_medians(twos, seed=seed + 1) / bootstrap_medians(ones, seed=seed))
    low, high = _interval(ratios, point, min(_pieces(ones), _pieces(twos)))
    return math.expm1(point), (math.expm1(low), math.expm1(high))


def bootstrap_medians(blocks: Sequence[Samples], *, seed: int, resamples: int = RESAMPLES) -> Samples:
    """Medians of ``resamples`` block-bootstrap draws; blocks count alike, whatever their number of samples."""
    generator = np.random.default_rng(seed)
    pooled = np.concatenate(list(blocks))
    lengths = np.asarray([len(block) for block in blocks])
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    drawn = min(int(lengths.mean()), _DRAWN)  # of each block; fewer than it has only widens the interval
    run = max(1, math.isqrt(int(lengths.min())))
    runs = math.ceil(drawn / run)
    step = max(1, _AT_ONCE // (len(blocks) * runs * run))
    medians = np.empty(resamples)
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        block_choice = generator.integers(0, len(blocks), (count, len(blocks), 1))
        latest = lengths[block_choice] - run + 1
        starts = offsets[block_choice] + np.floor(generator.random((count, len(blocks), runs)) * latest).astype(
            np.int64
        )
        indices = (starts[..., None] + np.arange(run)).reshape(count, -1)
        medians[start : start + count] = np.median(pooled[indices], axis=1)
    return medians


def _interval(draws: Samples, point: float, pieces: float) -> tuple[float, float]:
    """Percentile interval around ``point``, all of them logarithms, so that no bound of a latency is negative.

    A bootstrap over k independent pieces knows k - 1 differences between them only, and its spread is too small by
    sqrt((k - 1) / k): the distances are stretched by that and by Student's t over the normal quantile.
    """
    tail = (1 - _CONFIDENCE) / 2 * 100
    low, high = np.percentile(draws, [tail, 100 - tail])
    stretch = _stretch(pieces)
    below, above = max(0.0, point - float(low)) * stretch, max(0.0, float(high) - point) * stretch
    return at_least(point - below, point, point + above)


def _pieces(blocks: Sequence[Samples]) -> float:
    """Independent pieces that were drawn from: processes, or in a single one its runs of consecutive samples."""
    if len(blocks) > 1:
        return float(len(blocks))
    count = len(blocks[0])
    return max(1.0, count / max(1, math.isqrt(count)))


def _stretch(pieces: float) -> float:
    whole = max(2.0, pieces)
    freedom = int(whole - 1)
    quantile = _T975[min(freedom, len(_T975)) - 1]
    return quantile / _T975[-1] * math.sqrt(whole / (whole - 1))
