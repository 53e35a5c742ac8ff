"""Memory that ran short during a run: time lost waiting for it, and pages moved to and from the swap space."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

from devices.runner.sensors.access.files import text

_SHORTEST_S = 0.2


class MemoryPressure:
    """``/proc/pressure/memory`` (kernel 4.20 and later, where switched on) and ``/proc/vmstat``."""

    def __init__(self, root: Path) -> None:
        self._pressure, self._pages = root / "proc/pressure/memory", root / "proc/vmstat"
        self._before = self._now()

    def read(self) -> dict[str, Any]:
        """Since the last reading: ``memory_stall``, the share of time in which some program waited for memory.

        ``swap_io_mb``: what went to and came from the swap space.
        """
        now, before = self._now(), self._before
        if now[0] - before[0] < _SHORTEST_S:
            return {}
        self._before = now
        values: dict[str, Any] = {}
        if now[1] is not None and before[1] is not None:
            values["memory_stall"] = round((now[1] - before[1]) / 1e6 / (now[0] - before[0]), 4)
        if now[2] is not None and before[2] is not None:
            values["swap_io_mb"] = round((now[2] - before[2]) * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)
        return values

    def _now(self) -> tuple[float, int | None, int | None]:
        return time.monotonic(), parse_pressure(text(self._pressure) or ""), parse_swapped(text(self._pages) or "")


def parse_pressure(content: str) -> int | None:
    """Microseconds since boot in which some task waited; None where the kernel does not say."""
    match = re.search(r"^some .*\btotal=(\d+)", content, re.MULTILINE)
    return int(match[1]) if match else None


def parse_swapped(content: str) -> int | None:
    """Pages swapped in and out since boot."""
    counts = re.findall(r"^pswp(?:in|out) (\d+)$", content, re.MULTILINE)
    return sum(map(int, counts)) if len(counts) == 2 else None
