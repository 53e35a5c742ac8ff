"""Memory that runs short and time that the host took: what the kernel's own files say, and what changes in them."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from devices.runner.sensors.others import OtherProcesses
from devices.runner.sensors.pressure import MemoryPressure, parse_pressure, parse_swapped
from tests.devices.kit.sensor_tree import write


def files(*, waited_us: int, pages: int, steal: int) -> dict[str, str]:
    """As Documentation/accounting/psi.rst and Documentation/filesystems/proc.rst have them."""
    return {
        "proc/pressure/memory": (
            f"some avg10=0.00 avg60=0.00 avg300=0.00 total={waited_us}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7"
        ),
        "proc/vmstat": f"nr_free_pages 1000\npswpin {pages}\npswpout {pages}\npgfault 1",
        "proc/stat": f"cpu  1000 0 500 9000 0 0 0 {steal} 0 0\ncpu0 1000 0 500 9000 0 0 0 {steal} 0 0",
    }


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that goes on when it is told to."""
    hands = SimpleNamespace(now_s=100.0)
    stub = SimpleNamespace(monotonic=lambda: hands.now_s)
    for module in ("pressure", "others"):
        monkeypatch.setattr(f"devices.runner.sensors.{module}.time", stub)
    return hands


def test_what_changes_between_two_readings(tmp_path: Path, clock: SimpleNamespace) -> None:
    write(tmp_path, files(waited_us=0, pages=0, steal=0))
    memory, neighbours = MemoryPressure(tmp_path), OtherProcesses(tmp_path)
    clock.now_s += 2.0
    write(tmp_path, files(waited_us=100_000, pages=256, steal=40))
    megabytes = 2 * 256 * os.sysconf("SC_PAGE_SIZE") / 2**20
    assert memory.read() == {"memory_stall": 0.05, "swap_io_mb": pytest.approx(megabytes)}
    assert neighbours.read()["steal_cpus"] == pytest.approx(40 / os.sysconf("SC_CLK_TCK") / 2.0)


def test_kernels_without_the_files_say_nothing(tmp_path: Path, clock: SimpleNamespace) -> None:
    memory, neighbours = MemoryPressure(tmp_path), OtherProcesses(tmp_path)
    clock.now_s += 2.0
    assert memory.read() == neighbours.read() == {}


def test_the_files_of_this_kernel_are_understood() -> None:
    assert parse_swapped(Path("/proc/vmstat").read_text()) is not None
    pressure = Path("/proc/pressure/memory")
    try:
        content = pressure.read_text()
    except OSError:
        pytest.skip("this kernel has no pressure stall information")
    assert parse_pressure(content) is not None
