"""Runs whose machine changes under them, from the sensors' files to the verdict: none of them is clean."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from devices.runner.sensors import Sensors
from devices.runner.timing import TimingLimits, measure
from eamdeploy.measurement.evidence.conditions import verdict
from eamdeploy.measurement.evidence.statistics import summarize
from tests.devices.kit import sensor_tree

_IDLE = range(1000, 1004)  # a cluster that runs nothing here


def _clusters(khz: int, governor: str) -> dict[str, str]:
    """Those that this process runs on are big; little ones idle at their top speed."""
    files = sensor_tree.cpus(_IDLE, khz=1_800_000, top_khz=1_800_000, governor="performance")
    for cpu in os.sched_getaffinity(0):
        files |= sensor_tree.cpus(range(cpu, cpu + 1), khz=khz, top_khz=2_208_000, governor=governor)
    return files


def _run(tree: Path, before: dict[str, str], after: dict[str, str]):
    """Time something while the machine changes halfway; the verdict as a bench makes it."""
    sensor_tree.write(tree, before)
    calls = iter(range(10**9))

    def call() -> None:
        sum(range(20_000))
        if next(calls) == 60:
            sensor_tree.write(tree, after)

    limits = TimingLimits(seconds=0.0, min_samples=200, max_samples=200, warmup_seconds=0.0, sense_every_s=0.005)
    measured_here = measure(call, limits, Sensors(tree))
    samples = [duration / 1e6 for duration in measured_here.samples_ns]
    measured = SimpleNamespace(timings=[dataclasses.asdict(measured_here)], cooled=True)
    return verdict(measured, summarize([samples]))


@pytest.mark.parametrize(
    ("after", "state", "words"),
    [
        (_clusters(600_000, "schedutil"), "invalid", "clock changed between 600 and 1512 MHz"),
        (_clusters(1_512_000, "powersave"), None, "governor changed during the run: schedutil to powersave"),
        (
            {"sys/fs/cgroup/bench/cpu.stat": "nr_periods 53\nnr_throttled 52"},
            "invalid",
            "CPU quota: the kernel stopped the process in 52 of 53 periods",
        ),
    ],
)
def test_a_machine_that_changes_is_never_clean(after, state, words, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # no vendor's tools
    quota = {"proc/self/cgroup": "0::/bench", "sys/fs/cgroup/bench/cpu.stat": "nr_periods 0\nnr_throttled 0"}
    states = []
    for number in range(10):
        measured = _run(tmp_path / str(number), _clusters(1_512_000, "schedutil") | quota, after)
        states.append(measured.state)
        assert any(words in reason for reason in measured.reasons), measured
    assert "clean" not in states
    assert state is None or set(states) == {state}
