from __future__ import annotations

import numpy as np
import pytest

from eamdeploy.measurement.evidence.selfcheck import noise_floor
from eamdeploy.measurement.evidence.statistics import relative_difference, summarize


def blocks(generator, *, count=4, samples=80, median=1.0, between=0.01, spike=0.02):
    """Latencies as they are: processes differ, neighbours are alike, and now and then one takes ten times as long."""
    block_list = []
    for _ in range(count):
        level = median * np.exp(generator.normal(0, between))
        drift = np.convolve(generator.normal(0, 0.02, samples + 20), np.ones(20) / 20, "same")[:samples]
        times = level * (1 + np.abs(drift)) * np.exp(generator.normal(0, 0.01, samples))
        times[generator.random(samples) < spike] *= 10
        block_list.append(times.tolist())
    return block_list


def test_percentiles_are_of_all_samples():
    summary = summarize([[1.0, 2.0, 3.0], [4.0, 100.0]])
    assert summary.p50 == 3.0
    assert summary.mean == 22.0
    assert summary.p99 > 90
    assert summary.ci95[0] <= summary.p50 <= summary.ci95[1]


def test_a_single_sample_is_no_error_and_says_nothing():
    summary = summarize([[2.0]])
    assert (summary.p50, summary.p99, summary.ci95) == (2.0, 2.0, (1.0, 4.0))


@pytest.mark.parametrize("samples", [[[2.0] * 50], [[2.0] * 10, [2.0] * 10], [[0.1, 50.0], [0.1, 60.0], [0.2, 40.0]]])
def test_no_interval_is_of_width_zero_or_reaches_below_zero(samples):
    summary = summarize(samples)
    assert 0 < summary.ci95[0] < summary.p50 < summary.ci95[1]
    difference, (low, high) = relative_difference(samples, samples)
    assert -1 < low < difference < high


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "each"), [(1, 10), (1, 20), (5, 20), (20, 50)])
def test_the_interval_of_a_median_covers_it(processes, each):
    generator = np.random.default_rng(processes)
    rounds, covered = 300, 0
    for _ in range(rounds):
        low, high = summarize(np.exp(0.1 * generator.standard_normal((processes, each))).tolist()).ci95
        covered += low <= 1.0 <= high
    # 95 % less two and a half standard deviations of 300 rounds
    assert covered / rounds >= 0.92


def test_intervals_of_the_same_thing_overlap_and_of_different_things_do_not():
    generator = np.random.default_rng(1)
    overlaps = apart = 0
    for _ in range(30):
        first, two = (summarize(blocks(generator)).ci95 for _ in range(2))
        other = summarize(blocks(generator, median=1.1)).ci95
        overlaps += max(first[0], two[0]) <= min(first[1], two[1])
        apart += max(first[0], other[0]) > min(first[1], other[1])
    assert overlaps >= 28
    assert apart >= 28


def test_a_difference_of_five_percent_is_found_and_none_is_not_claimed():
    generator = np.random.default_rng(2)
    hits = claimed = 0
    for _ in range(15):
        first, same = (blocks(generator, count=8, between=0.005) for _ in range(2))
        slower = blocks(generator, count=8, between=0.005, median=1.05)
        hits += relative_difference(first, slower)[1][0] > 0
        low, high = relative_difference(first, same)[1]
        claimed += not low <= 0 <= high
    assert hits >= 13
    assert claimed <= 4


def test_a_rare_spike_moves_the_tail_and_not_the_median():
    generator = np.random.default_rng(3)
    quiet, spiky = summarize(blocks(generator, spike=0)), summarize(blocks(generator, spike=0.03))
    assert spiky.p50 == pytest.approx(quiet.p50, rel=0.03)
    assert spiky.p99 > 5 * quiet.p99


def test_the_noise_floor_grows_with_the_differences_between_processes():
    generator = np.random.default_rng(4)
    calm = noise_floor(blocks(generator, count=8, between=0.002))
    wild = noise_floor(blocks(generator, count=8, between=0.05))
    assert 0 < calm < 0.02
    assert wild > 3 * calm


def test_a_self_check_that_cannot_be_made_is_not_silent():
    from eamdeploy.measurement.evidence.selfcheck import not_made, self_check
    from eamdeploy.measurement.report import BenchReport

    assert self_check("pi4", []) is None
    report = BenchReport(runs=(), failures=(not_made("pi4"),))
    assert report.exit_code == 5
    assert "self-check could not be judged (pi4)" in str(report.failures[0].error)
