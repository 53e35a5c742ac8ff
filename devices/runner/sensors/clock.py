"""Clock of the processors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from devices.runner.sensors.files import number


class CpuClock:
    """``/sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq``, in kHz."""

    def __init__(self, root: Path) -> None:
        self._files = sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))

    def read(self) -> dict[str, Any]:
        """``clock_mhz``: the fastest processor now, which is the one that works."""
        values = [value for value in map(number, self._files) if value]
        return {"clock_mhz": max(values) / 1000} if values else {}
