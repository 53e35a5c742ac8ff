"""A real CPU quota of a fifth of a processor: what runs under it is never called clean."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eamdeploy.base.results import SensorSample
from eamdeploy.measurement.evidence.statistics import summarize
from eamdeploy.measurement.evidence.verdict import Evidence, judge

_TIMED = """
import dataclasses, json
from devices.runner.timing import TimingLimits, measure
def work():
    sum(range(200_000))
found = measure(work, TimingLimits(seconds=0.5, warmup_seconds=0.2, sense_every_s=0.25))
print(json.dumps(dataclasses.asdict(found)))
"""


@pytest.fixture
def a_fifth():
    """A control group with a quota of 2 ms in every 10; skipped where this user cannot make one."""
    folders = [Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")]
    for top in folders:
        folder = top / f"eamdeploy-test-{os.getpid()}"
        with contextlib.suppress(OSError):
            folder.mkdir()
            try:
                if (folder / "cpu.cfs_quota_us").exists():
                    (folder / "cpu.cfs_period_us").write_text("10000")
                    (folder / "cpu.cfs_quota_us").write_text("2000")
                else:
                    (folder / "cpu.max").write_text("2000 10000")
            except OSError:
                folder.rmdir()
                continue
            yield folder
            for _ in range(50):  # the last process leaves a moment after its end
                with contextlib.suppress(OSError):
                    folder.rmdir()
                    return
                time.sleep(0.1)
            return
    pytest.skip("needs the right to make a control group with a CPU quota")


def test_a_fifth_of_a_processor_is_never_clean(a_fifth):
    states = []
    for _ in range(3):
        done = subprocess.run(
            [
                "sh",
                "-c",
                'echo $$ > "$1"; shift; exec "$@"',
                "sh",
                a_fifth / "cgroup.procs",
                sys.executable,
                "-c",
                _TIMED,
            ],
            capture_output=True,
            check=True,
            text=True,
        )
        found = json.loads(done.stdout)
        names = {"quota_periods", "quota_throttled"}
        samples = [SensorSample(0.0, **{k: v for k, v in each.items() if k in names}) for each in found["conditions"]]
        verdict = judge(Evidence(samples, summarize([[each / 1e6 for each in found["samples_ns"]]]), [found["stable"]]))
        states.append(verdict.state)
        assert any("CPU quota: the kernel stopped the process in" in reason for reason in verdict.reasons)
    assert "clean" not in states
