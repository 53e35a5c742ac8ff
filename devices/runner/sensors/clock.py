"""Clock and governor of the processors that do the work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from devices.runner.sensors.access.cores import CoresThatRan
from devices.runner.sensors.access.files import number, text


class CpuClock:
    """``/sys/devices/system/cpu/cpu*/cpufreq``; frequencies in kHz.

    Args:
        root: of the file system.
        cores: which processors ran since the last reading.
    """

    def __init__(self, root: Path, cores: Callable[[], set[int]] | None = None) -> None:
        folders = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq")
        self._folders = {int(folder.parent.name[len("cpu") :]): folder for folder in sorted(folders)}
        self._cores = cores or CoresThatRan().read
        # processors with one top speed are of one kind: a cluster of big or of little ones
        self._kinds = {cpu: number(folder / "cpuinfo_max_freq") for cpu, folder in self._folders.items()}

    def read(self) -> dict[str, Any]:
        """``clock_mhz``: of the processors that ran, the fastest now, and the mean over clusters where several ran.

        ``governor``: of these processors.
        """
        core_numbers = self._cores() & self._folders.keys() or self._folders.keys()
        clocks: dict[float | None, float] = {}
        for cpu in core_numbers:
            value = number(self._folders[cpu] / "scaling_cur_freq")
            if value:
                clocks[self._kinds[cpu]] = max(value, clocks.get(self._kinds[cpu], 0.0))
        governors = {text(self._folders[cpu] / "scaling_governor") for cpu in core_numbers} - {None, ""}
        return {
            **({"clock_mhz": round(sum(clocks.values()) / len(clocks) / 1000, 3)} if clocks else {}),
            **({"governor": ", ".join(sorted(map(str, governors)))} if governors else {}),
        }


def top_speed_mhz(root: Path) -> float | None:
    """The highest frequency of any processor."""
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/cpuinfo_max_freq")
    speeds = [value for value in map(number, files) if value]
    return max(speeds) / 1000 if speeds else None
