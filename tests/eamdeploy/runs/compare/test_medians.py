"""Intervals that hold what they promise, on series made like latencies: skewed, bursty, autocorrelated."""

from __future__ import annotations

import numpy as np
import pytest

from eamdeploy.base.errors import MeasurementError
from eamdeploy.base.results import Latency
from eamdeploy.runs.compare import SessionNoise, compare_latency
from eamdeploy.runs.compare.resampling import block_length, t_quantile


def _latency(samples: np.ndarray, rounds: int | None = None) -> Latency:
    block = () if rounds is None else tuple(np.repeat(np.arange(rounds), len(samples) // rounds).tolist())
    return Latency(float(np.median(samples)), samples=tuple(samples.tolist()), block=block)


def _autocorrelated(count: int, factor: float, random: np.random.Generator) -> np.ndarray:
    noise = random.standard_normal(count)
    for index in range(1, count):
        noise[index] += factor * noise[index - 1]
    return noise


def _session(random: np.random.Generator, slower: float, *, rounds: int = 40, each: int = 5) -> tuple[Latency, Latency]:
    """Two models measured in turns on a machine that drifts by ten percent and has bursts."""
    drift = np.repeat(0.05 * _autocorrelated(rounds, 0.9, random), each)
    burst = np.repeat(random.random(rounds) < 0.1, each) * 0.5

    def side(factor: float) -> np.ndarray:
        return 10.0 * factor * np.exp(drift + burst + 0.01 * random.exponential(1.0, rounds * each))

    return _latency(side(1.0), rounds), _latency(side(1.0 + slower), rounds)


@pytest.mark.parametrize("slower", [0.0, 0.1])
def test_paired_intervals_cover_the_truth(slower: float) -> None:
    random = np.random.default_rng(11)
    comparisons = [compare_latency(*_session(random, slower), interleaved=True) for _ in range(120)]
    assert {difference.method for difference in comparisons} == {"paired"}
    covered = sum(difference.low <= slower <= difference.high for difference in comparisons)
    assert covered >= 107  # 95 % less three standard errors
    assert np.median([difference.high - difference.low for difference in comparisons]) < 0.02


def test_few_rounds_are_paired_with_students_t() -> None:
    random = np.random.default_rng(6)
    comparisons = [compare_latency(*_session(random, 0.1, rounds=4, each=30), interleaved=True) for _ in range(200)]
    assert {difference.method for difference in comparisons} == {"paired"}
    covered = sum(difference.low <= 0.1 <= difference.high for difference in comparisons)
    assert 178 <= covered <= 199


def test_pairing_sees_what_drift_hides() -> None:
    a, b = _session(np.random.default_rng(5), 0.03)
    paired = compare_latency(a, b, interleaved=True)
    unpaired = compare_latency(a, b, interleaved=False)
    assert paired.low > 0.0
    assert unpaired.low <= 0.0 <= unpaired.high


@pytest.mark.parametrize("factor", [0.0, 0.8])
def test_unpaired_intervals_cover_the_truth(factor: float) -> None:
    random = np.random.default_rng(3)
    covered = 0
    for _ in range(60):
        a, b = (_latency(10.0 * np.exp(0.01 * _autocorrelated(200, factor, random))) for _ in range(2))
        comparison = compare_latency(a, b, interleaved=False)
        covered += comparison.low <= 0.0 <= comparison.high
    assert covered >= 53


def test_drawing_single_samples_would_promise_too_much() -> None:
    """The reason for blocks: on an autocorrelated series the interval is several times wider than for shuffled ones."""
    random = np.random.default_rng(1)
    series = 10.0 * np.exp(0.01 * _autocorrelated(1000, 0.9, random))
    shuffled = random.permutation(series)
    wide = compare_latency(_latency(series), _latency(series), interleaved=False)
    narrow = compare_latency(_latency(shuffled), _latency(shuffled), interleaved=False)
    assert wide.high - wide.low > 2.5 * (narrow.high - narrow.low)


def test_session_noise_widens_what_was_not_interleaved() -> None:
    random = np.random.default_rng(2)
    a, b = (_latency(10.0 + 0.01 * random.standard_normal(200)) for _ in range(2))
    alone = compare_latency(a, b, interleaved=False)
    honest = compare_latency(a, b, interleaved=False, session_noise=SessionNoise(0.02))
    assert alone.high - alone.low < 0.002
    assert 0.09 < honest.high - honest.low < 0.14  # 2 * 1.96 * sqrt(2) * 2 %
    unsure = compare_latency(a, b, interleaved=False, session_noise=SessionNoise(0.02, freedom=2))
    assert unsure.high - unsure.low > 1.7 * (honest.high - honest.low)  # 4.3 for 1.96, three sessions being few


def test_blocks_are_paired_in_their_order() -> None:
    """ABBA with one running index over both sides pairs the k-th block of one with the k-th of the other."""
    random = np.random.default_rng(4)
    level = np.repeat(10.0 * np.exp(_autocorrelated(12, 0.9, random)), 4)
    a = Latency(
        10.0, samples=tuple(level), block=tuple(np.repeat([0, 3, 4, 7, 8, 11, 12, 15, 16, 19, 20, 23], 4).tolist())
    )
    b = Latency(
        10.0, samples=tuple(1.2 * level), block=tuple(np.repeat([1, 2, 5, 6, 9, 10, 13, 14, 17, 18, 21, 22], 4))
    )
    comparison = compare_latency(a, b, interleaved=True)
    assert comparison.method == "paired"
    assert comparison.low == pytest.approx(0.2, abs=0.0002)
    assert comparison.high == pytest.approx(0.2, abs=0.0002)


def test_the_same_input_gives_the_same_interval() -> None:
    a, b = _session(np.random.default_rng(9), 0.05)
    assert compare_latency(a, b, interleaved=False) == compare_latency(a, b, interleaved=False)


def test_too_few_samples_is_said() -> None:
    few = Latency(1.0, samples=(1.0, 1.1))
    with pytest.raises(MeasurementError, match="too few latency samples"):
        compare_latency(few, few, interleaved=False)


def test_constant_samples_are_no_certainty() -> None:
    same = Latency(5.0, samples=(5.0,) * 50)
    comparison = compare_latency(same, Latency(6.0, samples=(6.0,) * 50), interleaved=False)
    assert 0.1998 < comparison.low < 0.19995 < 0.20005 < comparison.high < 0.2002


def test_block_lengths_grow_with_autocorrelation() -> None:
    random = np.random.default_rng(0)
    lengths = [block_length(_autocorrelated(2000, factor, random)) for factor in (0.0, 0.5, 0.9)]
    assert lengths[0] <= 3
    assert lengths[0] < lengths[1] < lengths[2]
    assert block_length(np.ones(100)) == 1


@pytest.mark.parametrize("freedom", [1.0, 4.0, 39.0, 5000.0])
def test_the_t_quantile_is_scipys(freedom: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert t_quantile(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-6)
