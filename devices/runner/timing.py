"""Time inferences: the first one, warm-up until stable, then samples, with the sensors read in between."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from devices.runner.sensors import Sensors

_WINDOW = 5  # inferences in each of the two windows that warm-up compares
_STABLE = 0.05  # relative difference of their medians below which the machine counts as warm


@dataclass(frozen=True)
class TimingLimits:
    """When to stop.

    Attributes:
        seconds: samples are taken for at least this long,
        min_samples: and at least this many of them,
        max_samples: and never more than this, or than ``max_seconds`` allows.
        max_seconds: after which sampling stops with whatever there is.
        warmup_seconds: after which warm-up stops even when not stable.
        sense_every_s: between readings of the sensors.
    """

    seconds: float = 1.0
    min_samples: int = 10
    max_samples: int = 100_000
    max_seconds: float = 60.0
    warmup_seconds: float = 3.0
    sense_every_s: float = 0.5


@dataclass(frozen=True)
class Timing:
    """One block of samples.

    Attributes:
        first_ns: duration of the first inference after loading.
        warmup_ns: durations of the inferences before the samples.
        stable: whether warm-up ended because two windows agreed, rather than because time was up.
        samples_ns: durations, in order, none left out.
        starts_ns: when each began, on the monotonic clock.
        untimed: inferences run after reading sensors and not timed, because reading them empties the caches.
        conditions: sensor readings before, during and after.
    """

    first_ns: int
    warmup_ns: list[int]
    stable: bool
    samples_ns: list[int]
    starts_ns: list[int]
    untimed: int
    conditions: list[dict[str, Any]]


def measure(call: Callable[[], Any], limits: TimingLimits, sensors: Sensors | None = None) -> Timing:
    """Time ``call``; see `Timing`."""
    clock = time.perf_counter_ns
    sensing = sensors or Sensors()
    first = _timed(call, clock)
    warmup, stable = _warm_up(call, clock, limits.warmup_seconds)
    conditions = [sensing.read()]
    samples: list[int] = []
    starts: list[int] = []
    untimed = 1
    collecting = gc.isenabled()
    gc.disable()  # a collection in the middle of a sample is the harness's time, not the model's
    try:
        call()
        begin = clock()
        sense_at = begin + int(limits.sense_every_s * 1e9)
        enough = begin + int(limits.seconds * 1e9)
        latest = begin + int(limits.max_seconds * 1e9)
        while True:
            start = clock()
            call()
            end = clock()
            samples.append(end - start)
            starts.append(start)
            count = len(samples)
            if count >= limits.max_samples or end >= latest or (end >= enough and count >= limits.min_samples):
                break
            if end >= sense_at:
                conditions.append(sensing.read())
                call()
                untimed += 1
                sense_at = clock() + int(limits.sense_every_s * 1e9)
    finally:
        if collecting:
            gc.enable()
    conditions.append(sensing.read())
    return Timing(
        first, warmup, stable=stable, samples_ns=samples, starts_ns=starts, untimed=untimed, conditions=conditions
    )


def once(call: Callable[[], Any]) -> int:
    """Duration of one inference in nanoseconds, without a collection of garbage in its midst."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _timed(call, time.perf_counter_ns)
    finally:
        if collecting:
            gc.enable()


def _timed(call: Callable[[], Any], clock: Callable[[], int]) -> int:
    start = clock()
    call()
    return clock() - start


def _warm_up(call: Callable[[], Any], clock: Callable[[], int], seconds: float) -> tuple[list[int], bool]:
    durations: list[int] = []
    end = clock() + int(seconds * 1e9)
    while True:
        durations.append(_timed(call, clock))
        if len(durations) >= 2 * _WINDOW:
            older = statistics.median(durations[-2 * _WINDOW : -_WINDOW])
            newer = statistics.median(durations[-_WINDOW:])
            if abs(older - newer) <= _STABLE * newer:
                return durations, True
        if clock() >= end:
            return durations, False
