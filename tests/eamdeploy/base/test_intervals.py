"""Intervals of shares and of differences hold what they promise, by simulation, and are never of width zero."""

from __future__ import annotations

import numpy as np
import pytest

from eamdeploy.base.chance import at_chance, chance_share, chance_warning
from eamdeploy.base.intervals import at_least, paired_interval, share_interval, unpaired_interval
from eamdeploy.base.results import AccuracyResult

SIZES = (10, 20, 100, 1000)
ROUNDS = 4000


@pytest.mark.parametrize("count", SIZES)
def test_no_interval_is_degenerate_or_out_of_range(count: int) -> None:
    for right in {0, 1, count // 2, count - 1, count}:
        low, high = share_interval(right / count, count)
        assert 0.0 <= low <= right / count <= high <= 1.0
        assert high - low > 1.0 / (2 * count)
    for gained, losses in ((0, 0), (0, 1), (count, 0), (0, count), (1, 1)):
        low, high = paired_interval(gained, losses, count)
        assert -1.0 <= low <= (gained - losses) / count <= high <= 1.0
        assert high - low > 1.0 / count
    for a, b in ((0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.5, 0.5)):
        low, high = unpaired_interval(a, count, b, count)
        assert -1.0 <= low <= b - a <= high <= 1.0
        assert high - low > 1.0 / (2 * count)


def test_known_values() -> None:
    low, high = share_interval(1.0, 100)
    assert (round(low, 4), high) == (0.9630, 1.0)  # R's binom::binom.wilson(100, 100)
    assert share_interval(0.5, 0) == (0.0, 1.0)
    # Newcombe 1998, table II (a): 56/70 - 48/80, method 10
    low, high = unpaired_interval(48 / 80, 80, 56 / 70, 70)
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)
    assert at_least(0.2, 0.2, 0.2) == pytest.approx((0.1999, 0.2001))
    assert at_least(0.1, 0.2, 0.3) == (0.1, 0.3)


@pytest.mark.slow
@pytest.mark.parametrize("count", SIZES)
def test_coverage_of_shares(count: int) -> None:
    random = np.random.default_rng(count)
    shares = (0.05, 0.2, 0.5, 0.8, 0.925, 0.99)
    covered = []
    for share in shares:
        counts = random.binomial(count, share, ROUNDS)
        bounds = [share_interval(right / count, count) for right in counts]
        covered.append(np.mean([low <= share <= high for low, high in bounds]))
    # a score interval holds 95 % on average over the shares; near 0 and 1 it may hold a little less
    assert np.mean(covered) >= 0.94
    assert min(covered) >= 0.90


@pytest.mark.slow
@pytest.mark.parametrize("count", SIZES)
def test_coverage_of_differences(count: int) -> None:
    random = np.random.default_rng(count)
    paired, unpaired = [], []
    for gain, loss in ((0.0, 0.0), (0.01, 0.01), (0.02, 0.1), (0.1, 0.3), (0.2, 0.2)):
        counts = random.multinomial(count, (gain, loss, 1 - gain - loss), ROUNDS)
        bounds = [paired_interval(int(gained), int(losses), count) for gained, losses, _ in counts]
        paired.append(np.mean([low <= gain - loss <= high for low, high in bounds]))
        a, b = random.binomial(count, 0.9, ROUNDS), random.binomial(count, 0.9 + gain - loss, ROUNDS)
        bounds = [unpaired_interval(x / count, count, y / count, count) for x, y in zip(a, b, strict=True)]
        unpaired.append(np.mean([low <= gain - loss <= high for low, high in bounds]))
    assert min(paired) >= 0.93
    assert min(unpaired) >= 0.93


def test_chance() -> None:
    everything_is_a_dog = ((0, 1, 10), (1, 1, 90))
    assert chance_share(everything_is_a_dog) == pytest.approx(0.9)
    assert at_chance(0.9, 100, 2, chance=0.9)
    assert not at_chance(0.9, 100, 2)
    assert at_chance(0.0, 200, 1000)
    assert at_chance(0.12, 200, 10)
    assert not at_chance(0.58, 100, 10)
    assert at_chance(1.0, 1, 2), "one image is no proof"
    warning = chance_warning(AccuracyResult(90.0, 100, confused=everything_is_a_dog))
    assert warning is not None
    assert "no better than guessing (90 %)" in warning
    assert chance_warning(AccuracyResult(90.0, 100, confused=((0, 0, 45), (0, 1, 5), (1, 0, 5), (1, 1, 45)))) is None
    assert chance_warning(AccuracyResult(0.0, 100)) is not None
    assert chance_warning(AccuracyResult(1.0, 1000), 1000) is None
