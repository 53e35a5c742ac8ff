"""Load average and memory left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from devices.runner.sensors.access.files import text


class Load:
    """``/proc/loadavg`` and ``/proc/meminfo``."""

    def __init__(self, root: Path) -> None:
        self._load, self._memory = root / "proc/loadavg", root / "proc/meminfo"

    def read(self) -> dict[str, Any]:
        """``load1``: the one-minute load average; ``memory_available_mb``; ``swap_used_mb``."""
        values: dict[str, Any] = {}
        load = text(self._load)
        if load:
            values["load1"] = float(load.split()[0])
        memory = {}
        for line in (text(self._memory) or "").splitlines():
            name, _, rest = line.partition(":")
            if rest.split()[:1]:
                memory[name] = int(rest.split()[0]) / 1024
        if "MemAvailable" in memory:
            values["memory_available_mb"] = round(memory["MemAvailable"], 1)
        if "SwapTotal" in memory and "SwapFree" in memory:
            values["swap_used_mb"] = round(memory["SwapTotal"] - memory["SwapFree"], 1)
        return values
