"""A real CPU quota of a fifth of a processor: what runs under it is never called clean."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from eamdeploy.base.results import SensorSample
from eamdeploy.measurement.evidence.conditions import verdict
from eamdeploy.measurement.evidence.statistics import summarize
from eamdeploy.measurement.evidence.verdict import Evidence, judge
from tests.devices.kit import sensor_tree

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
        document = json.loads(done.stdout)
        names = {"quota_periods", "quota_throttled"}
        samples = [
            SensorSample(0.0, **{k: v for k, v in each.items() if k in names}) for each in document["conditions"]
        ]
        sentence = judge(
            Evidence(samples, summarize([[each / 1e6 for each in document["samples_ns"]]]), [document["stable"]])
        )
        states.append(sentence.state)
        assert any("CPU quota: the kernel stopped the process in" in reason for reason in sentence.reasons)
    assert "clean" not in states


_DISTURBED = """
import dataclasses, json, sys
from pathlib import Path
from devices.runner.sensors import Sensors
from devices.runner.timing import TimingLimits, measure
tree, after, calls = Path(sys.argv[1]), json.loads(sys.argv[2]), iter(range(10**9))
def work():
    sum(range(200_000))
    if next(calls) == 10:
        for name, content in after.items():
            (tree / name).write_text(content)
limits = TimingLimits(seconds=0.3, min_samples=30, warmup_seconds=0.0, sense_every_s=0.05)
print(json.dumps(dataclasses.asdict(measure(work, limits, Sensors(tree)))))
"""


@pytest.mark.slow
def test_ten_runs_under_a_quota_on_big_little_with_a_governor_that_changes_are_never_clean(a_fifth, tmp_path):
    """The quota is real; the clusters and their governors are files, as Linux shows them."""
    states = []
    for number in range(10):
        tree = tmp_path / str(number)
        big = sensor_tree.cpus(range(64), khz=2_208_000, top_khz=2_208_000, governor="performance")
        little = sensor_tree.cpus(range(1000, 1004), khz=1_512_000, top_khz=1_512_000, governor="performance")
        sensor_tree.write(tree, big | little)
        (tree / "proc").mkdir()
        (tree / "proc/self").symlink_to("/proc/self")
        (tree / "sys/fs").mkdir(parents=True)
        (tree / "sys/fs/cgroup").symlink_to("/sys/fs/cgroup")
        after = {name: "powersave" for name in big if name.endswith("scaling_governor")}
        after |= {name: "600000" for name in big if name.endswith("scaling_cur_freq")}
        script = ["sh", "-c", 'echo $$ > "$1"; shift; exec "$@"', "sh", a_fifth / "cgroup.procs"]
        done = subprocess.run(
            [*script, sys.executable, "-c", _DISTURBED, tree, json.dumps(after)],
            capture_output=True,
            check=True,
            text=True,
        )
        document = json.loads(done.stdout)
        measured = SimpleNamespace(timings=[document], cooled=True)
        sentence = verdict(measured, summarize([[each / 1e6 for each in document["samples_ns"]]]))
        states.append(sentence.state)
        reasons = " / ".join(sentence.reasons)
        assert "CPU quota: the kernel stopped the process in" in reasons, reasons
        assert "clock changed between 600 and 2208 MHz" in reasons, reasons
        assert "governor changed during the run: performance to powersave" in reasons, reasons
    assert states.count("clean") == 0
    assert set(states) == {"invalid"}
