"""How much slower one series of latencies is than another: the relative difference of medians with its interval.

Paired, where the two were measured in turns: whatever slows the machine for a while slows both sides of a round, and
cancels in the round's ratio. Otherwise each series is resampled by itself, and what differs between two sessions (heat,
other services, where memory happened to lie) is added from repeats of one artifact, where the store has them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from eamdeploy.base.errors import MeasurementError
from eamdeploy.base.intervals import at_least
from eamdeploy.base.results import Latency
from eamdeploy.runs.compare.noise import SessionNoise
from eamdeploy.runs.compare.resampling import Floats, block_indices, block_length, percentile_interval, t_quantile

# below this, rounds cannot tell their own spread
MIN_ROUNDS = 3
# below this, resamples of the rounds are too few different ones: Student's t on their ratios instead
BOOTSTRAP_ROUNDS = 8
MIN_SAMPLES = 10
RESAMPLES = 4000
# medians of whole series cost more than means of a few rounds
UNPAIRED_RESAMPLES = 2000
LEVEL = 0.95
Method = Literal["paired", "unpaired"]


@dataclass(frozen=True)
class MedianDifference:
    """``b`` relative to ``a``; positive is slower.

    Attributes:
        relative: the estimate, as a fraction of ``a``.
        low, high: interval at ``level``, as fractions of ``a``.
        difference_ms: the difference of the two medians.
        method: ``paired`` over rounds, or ``unpaired``.
        rounds: independent pieces resampled: rounds, or blocks of consecutive samples in the shorter series.
        session_noise: what the interval allows for the difference between sessions, where known.
    """

    relative: float
    low: float
    high: float
    difference_ms: float
    level: float
    method: Method
    rounds: int
    session_noise: SessionNoise | None = None


def compare_latency(
    a: Latency,
    b: Latency,
    *,
    interleaved: bool,
    session_noise: SessionNoise | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> MedianDifference:
    """Compare two measured latencies.

    Args:
        a: the baseline, with samples.
        b: what is compared with it, with samples.
        interleaved: they were measured in turns; paired where there are enough rounds.
        session_noise: of the machine; not used where paired.
        seed: of the resampling; the same input gives the same interval.

    Raises:
        MeasurementError: when a side has too few samples to say how sure its median is.
    """
    for side in (a, b):
        if len(side.samples) < MIN_SAMPLES:
            raise MeasurementError(
                "too few latency samples to compare",
                why=f"{len(side.samples)}, and {MIN_SAMPLES} are needed",
                hint="measure with more runs",
            )
    random = np.random.default_rng(seed)
    rounds = _rounds(a, b) if interleaved else []
    if len(rounds) >= MIN_ROUNDS:
        return _paired(rounds, level, random)
    return _unpaired(_blocks(a), _blocks(b), session_noise, level, random)


def _rounds(a: Latency, b: Latency) -> list[tuple[Floats, Floats]]:
    """The samples of each round: the k-th block of one side beside the k-th block of the other."""
    return list(zip(_blocks(a), _blocks(b), strict=False))


def _blocks(latency: Latency) -> list[Floats]:
    samples = np.asarray(latency.samples, np.float64)
    if len(latency.block) != len(samples):
        return [_finite(latency.samples)]
    index = np.asarray(latency.block)
    usable = np.isfinite(samples) & (samples > 0.0)
    return [samples[usable & (index == number)] for number in np.unique(index[usable])]


def _paired(rounds: Sequence[tuple[Floats, Floats]], level: float, random: np.random.Generator) -> MedianDifference:
    medians = np.array([(np.median(a), np.median(b)) for a, b in rounds])
    ratios = np.log(medians[:, 1] / medians[:, 0])
    count = len(ratios)
    if count < BOOTSTRAP_ROUNDS:
        return _few_rounds(ratios, float(np.median(medians[:, 0])), level)
    length = block_length(ratios)
    draws = np.concatenate(
        [_middle_mean(ratios[indices]) for indices in block_indices(count, length, RESAMPLES, random)]
    )
    estimate = float(_middle_mean(ratios[None, :])[0])
    low, high = at_least(*_around(percentile_interval(draws, level, count / length), estimate))
    return MedianDifference(
        math.expm1(estimate),
        math.expm1(low),
        high=math.expm1(high),
        difference_ms=float(math.expm1(estimate) * np.median(medians[:, 0])),
        level=level,
        method="paired",
        rounds=count,
    )


def _few_rounds(ratios: Floats, median_a: float, level: float) -> MedianDifference:
    count = len(ratios)
    middle = float(ratios.mean())
    half = t_quantile(0.5 + level / 2.0, count - 1.0) * float(ratios.std(ddof=1)) / math.sqrt(count)
    low, high = at_least(middle - half, middle, middle + half)
    change = math.expm1(middle)
    return MedianDifference(
        change,
        math.expm1(low),
        high=math.expm1(high),
        difference_ms=change * median_a,
        level=level,
        method="paired",
        rounds=count,
    )


def _unpaired(
    blocks_a: Sequence[Floats],
    blocks_b: Sequence[Floats],
    session_noise: SessionNoise | None,
    level: float,
    random: np.random.Generator,
) -> MedianDifference:
    draws_a, pieces_a = _median_draws(blocks_a, random)
    draws_b, pieces_b = _median_draws(blocks_b, random)
    draws = draws_b - draws_a
    if session_noise:
        draws = draws + math.sqrt(2.0) * session_noise.relative * _standard(session_noise.freedom, len(draws), random)
    pieces = min(pieces_a, pieces_b)
    middle_a, middle_b = (float(np.median(np.concatenate(blocks))) for blocks in (blocks_a, blocks_b))
    relative = middle_b / middle_a - 1.0
    low, high = at_least(*_around(percentile_interval(draws, level, pieces), math.log1p(relative)))
    return MedianDifference(
        relative,
        math.expm1(low),
        high=math.expm1(high),
        difference_ms=middle_b - middle_a,
        level=level,
        method="unpaired",
        rounds=int(pieces),
        session_noise=session_noise,
    )


def _around(interval: tuple[float, float], estimate: float) -> tuple[float, float, float]:
    """The interval with its estimate, which a percentile of coarse draws may miss by a little."""
    low, high = interval
    return min(low, estimate), estimate, max(high, estimate)


def _standard(freedom: float, count: int, random: np.random.Generator) -> Floats:
    """Normal, or Student's t where the deviation itself is an estimate."""
    return random.standard_normal(count) if math.isinf(freedom) else random.standard_t(freedom, count)


def _median_draws(blocks: Sequence[Floats], random: np.random.Generator) -> tuple[Floats, float]:
    """Logarithms of resampled medians, and how many independent pieces they were drawn from."""
    series = np.concatenate(blocks)
    # a median's error depends on the order of values above and below it, not on how far out the outliers are
    length = block_length((series > np.median(series)).astype(np.float64))
    if len(blocks) >= BOOTSTRAP_ROUNDS:
        # each block may be a process of its own, with its own place in memory: it is drawn as a whole
        length = max(length, round(len(series) / len(blocks)))
    chunks = [
        np.median(series[rows], axis=1) for rows in block_indices(len(series), length, UNPAIRED_RESAMPLES, random)
    ]
    return np.log(np.concatenate(chunks)), len(series) / length


def _middle_mean(rows: Floats) -> Floats:
    """The mean of the middle half of each row: as robust as a median to a burst, and not as coarse for few rounds."""
    count = rows.shape[1]
    cut = count // 4
    middle: Floats = np.sort(rows, axis=1)[:, cut : count - cut].mean(axis=1)
    return middle


def _finite(samples: Sequence[float]) -> Floats:
    values = np.asarray(samples, np.float64)
    return values[np.isfinite(values) & (values > 0.0)]
