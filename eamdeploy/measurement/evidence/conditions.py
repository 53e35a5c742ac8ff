"""From the runner's raw readings to conditions, energy and a verdict."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from eamdeploy.base.results import Conditions, RunVerdict, SensorSample
from eamdeploy.measurement.evidence.statistics import Summary
from eamdeploy.measurement.evidence.verdict import Evidence, judge
from eamdeploy.measurement.measuring import MeasuredCase

_FIELDS = tuple(item.name for item in fields(SensorSample) if item.name != "t_s")
_CLOCK_JUMP_S = 2.0


def readings(measured: MeasuredCase) -> list[Mapping[str, Any]]:
    """All readings of a case in order."""
    return [reading for timing in measured.timings for reading in timing["conditions"]]


def conditions(measured: MeasuredCase, facts: Mapping[str, str]) -> Conditions:
    """What the machine was like during a case."""
    raw = readings(measured)
    source = next((str(reading["power_source"]) for reading in raw if "power_source" in reading), None)
    values = dict(facts)
    jump = _clock_jump_s(raw)
    if jump is not None:
        values["wall_clock"] = f"jumped by {jump:+.0f} s during the run; durations come from the monotonic clock"
    return Conditions(samples=tuple(_samples(raw)), governor=facts.get("governor"), energy_source=source, facts=values)


def energy_mj(measured: MeasuredCase) -> float | None:
    """Energy of one inference: mean power while measuring times mean latency; the idle board's share is in it."""
    powers = [reading["power_mw"] for reading in readings(measured) if reading.get("power_mw") is not None]
    if not powers or measured.summary is None:
        return None
    return float(sum(powers) / len(powers) * measured.summary.mean / 1000)


def verdict(measured: MeasuredCase, summary: Summary) -> RunVerdict:
    """Whether the latency may be believed."""
    stable = [bool(timing["stable"]) for timing in measured.timings]
    return judge(Evidence(_samples(readings(measured)), summary, stable, measured.cooled))


def _samples(raw: Sequence[Mapping[str, Any]]) -> list[SensorSample]:
    start = raw[0]["t_ns"] if raw else 0
    return [
        SensorSample(t_s=(reading["t_ns"] - start) / 1e9, **{name: reading.get(name) for name in _FIELDS})
        for reading in raw
    ]


def _clock_jump_s(raw: Sequence[Mapping[str, Any]]) -> float | None:
    """How far the wall clock moved against the monotonic one, if it did (network time, or somebody set it)."""
    offsets = [reading["wall_s"] - reading["t_ns"] / 1e9 for reading in raw]
    steps = [later - earlier for earlier, later in itertools.pairwise(offsets)]
    largest = max(steps, key=abs, default=0.0)
    return largest if abs(largest) > _CLOCK_JUMP_S else None
