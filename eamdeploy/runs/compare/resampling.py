"""Block resampling: consecutive latencies resemble each other, so they are drawn in blocks, not one by one.

D. N. Politis and H. White, "Automatic Block-Length Selection for the Dependent Bootstrap", Econometric Reviews 23
(2004), with the correction of A. Patton, D. Politis and H. White, Econometric Reviews 28 (2009).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

# resamples are drawn this many values at a time, so that a million samples do not need gigabytes
_CHUNK_VALUES = 4_000_000


def block_length(series: Floats) -> int:
    """The length of block that suits the circular block bootstrap of ``series``; 1 where values are independent."""
    count = len(series)
    centred = series - series.mean()
    variance = float(centred @ centred) / count
    if count < 10 or variance == 0.0:
        return 1
    # the lag after which correlations are no longer told from none, K_N of them in a row
    quiet = max(5, math.ceil(math.sqrt(math.log10(count))))
    most = min(math.ceil(math.sqrt(count)) + quiet, count - 1)
    covariance = np.array([float(centred[: count - lag] @ centred[lag:]) / count for lag in range(most + 1)])
    limit = 2.0 * math.sqrt(math.log10(count) / count)
    small = np.abs(covariance[1:] / variance) < limit
    last = next((lag for lag in range(most - quiet + 1) if small[lag : lag + quiet].all()), most)
    window = min(2 * max(last, 1), most)
    lags = np.arange(1, window + 1)
    taper = np.clip(2.0 * (1.0 - lags / window), 0.0, 1.0)
    weighted = taper * covariance[1 : window + 1]
    spectrum = variance + 2.0 * float(weighted.sum())
    slope = 2.0 * float((lags * weighted).sum())
    if spectrum <= 0.0:
        return 1
    length = (2.0 * slope**2 / (4.0 / 3.0 * spectrum**2)) ** (1.0 / 3.0) * count ** (1.0 / 3.0)
    # at least five blocks, or the resamples would all be the series itself
    return int(min(max(1, math.ceil(length)), max(1, count // 5)))


def block_indices(count: int, length: int, resamples: int, random: np.random.Generator) -> Iterator[Indices]:
    """Indices of circular block resamples of a series of ``count``, in chunks of shape (some, count)."""
    blocks = math.ceil(count / length)
    offsets = np.arange(length)
    at_once = max(1, _CHUNK_VALUES // count)
    for done in range(0, resamples, at_once):
        starts = random.integers(0, count, (min(at_once, resamples - done), blocks))
        drawn = (starts[:, :, None] + offsets) % count
        yield drawn.reshape(len(starts), -1)[:, :count]


def percentile_interval(draws: Floats, level: float, effective: float) -> tuple[float, float]:
    """The percentile interval of bootstrap ``draws``, widened for few independent blocks.

    T. Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 69 (2015): the
    percentiles are those of a t-distribution with ``effective - 1`` degrees of freedom, wider by ``sqrt(n / (n - 1))``.
    """
    freedom = max(1.0, effective - 1.0)
    reach = math.sqrt((freedom + 1.0) / freedom) * t_quantile(0.5 + level / 2.0, freedom)
    tail = 0.5 * math.erfc(reach / math.sqrt(2.0))
    low, high = np.quantile(draws, [tail, 1.0 - tail])
    return float(low), float(high)


def t_quantile(probability: float, freedom: float) -> float:
    """Quantile of Student's t distribution (scipy's ``stdtrit``); ``freedom`` need not be whole."""
    # scipy.special loads in a tenth of the time of scipy.stats
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability))
