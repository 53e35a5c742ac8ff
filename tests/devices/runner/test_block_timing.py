from __future__ import annotations

import gc
import time

import pytest

from devices.runner.timing import TimingLimits, measure


class Calls:
    """Something to time that takes ``seconds`` each, or a list of durations one after the other."""

    def __init__(self, *durations):
        self.durations, self.count = durations, 0

    def __call__(self):
        time.sleep(self.durations[min(self.count, len(self.durations) - 1)])
        self.count += 1


class NoSensors:
    def __init__(self):
        self.reads = 0

    def read(self):
        self.reads += 1
        return {"t_ns": time.perf_counter_ns(), "wall_s": 0.0}


def test_nothing_is_clipped_and_the_first_is_kept_apart():
    calls = Calls(0.05, *[0.001] * 30, 0.03, 0.001)
    result = measure(calls, TimingLimits(seconds=0, min_samples=40, max_samples=40, warmup_seconds=1), NoSensors())
    assert result.first_ns > 45e6
    assert len(result.samples_ns) == 40
    assert max(result.samples_ns) > 25e6
    assert calls.count == 1 + len(result.warmup_ns) + result.untimed + 40
    assert result.starts_ns == sorted(result.starts_ns)


def test_warm_up_goes_on_until_two_windows_agree():
    getting_faster = [0.02 * 0.8**step for step in range(20)]
    result = measure(Calls(*getting_faster, 0.001), TimingLimits(seconds=0, min_samples=5, max_samples=5), NoSensors())
    assert result.stable
    assert len(result.warmup_ns) > 15


def test_warm_up_that_never_settles_ends_and_says_so():
    unsettled = [0.002, 0.002, 0.002, 0.002, 0.002, 0.01, 0.01, 0.01, 0.01, 0.01] * 50
    result = measure(
        Calls(*unsettled), TimingLimits(seconds=0, max_samples=3, min_samples=3, warmup_seconds=0.05), NoSensors()
    )
    assert not result.stable


@pytest.mark.parametrize(("seconds", "least"), [(0.0, 10), (0.2, 10)])
def test_at_least_so_long_and_at_least_so_many(seconds, least):
    start = time.monotonic()
    result = measure(Calls(0.001), TimingLimits(seconds=seconds, min_samples=least), NoSensors())
    assert len(result.samples_ns) >= least
    assert time.monotonic() - start >= seconds


def test_a_slow_model_stops_at_the_limit_with_what_there_is():
    result = measure(
        Calls(0.05), TimingLimits(seconds=0, min_samples=1000, max_seconds=0.2, warmup_seconds=0), NoSensors()
    )
    assert 3 <= len(result.samples_ns) <= 5


def test_sensors_are_read_between_inferences_and_the_one_after_is_not_timed():
    sensors = NoSensors()
    limits = TimingLimits(seconds=0.5, min_samples=1, sense_every_s=0.1, warmup_seconds=0)
    result = measure(Calls(0.002), limits, sensors)
    assert sensors.reads == len(result.conditions) >= 5
    assert result.untimed == len(result.conditions) - 1


def test_garbage_collection_is_off_meanwhile_and_on_again():
    collections = []
    measure(
        lambda: collections.append(gc.isenabled()), TimingLimits(seconds=0, min_samples=3, max_samples=3), NoSensors()
    )
    assert collections[-1] is False
    assert gc.isenabled()
