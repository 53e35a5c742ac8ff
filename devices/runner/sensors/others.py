"""How much processor time everybody else took: the load average is too slow to see what happens within a run."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from devices.runner.sensors.access.files import text

_SHORTEST_S = 0.2  # /proc counts in hundredths of a second: over less, the difference is noise


class OtherProcesses:
    """``/proc/stat`` minus this process's own time, since the last reading; a hypervisor's steal counts as others'."""

    def __init__(self, root: Path) -> None:
        self._file = root / "proc/stat"
        self._tick = os.sysconf("SC_CLK_TCK")
        self._before: tuple[float, float, float, float] | None = self._now()

    def read(self) -> dict[str, Any]:
        """``other_cpus``: processors' worth of time that others used, for example 0.5 for half of one.

        ``steal_cpus``: what of it a hypervisor gave to other machines.
        """
        now, before = self._now(), self._before
        if now is None or before is None or now[0] - before[0] < _SHORTEST_S:
            return {}
        self._before = now
        elapsed, busy, own_s, stolen = (later - earlier for later, earlier in zip(now, before))
        other_cpus = round(max(0.0, (busy - own_s) / elapsed), 3)
        return {"other_cpus": other_cpus, "steal_cpus": round(max(0.0, stolen / elapsed), 3)}

    def _now(self) -> tuple[float, float, float, float] | None:
        line = (text(self._file) or "").partition("\n")[0].split()
        if len(line) < 9 or line[0] != "cpu":
            return None
        user, nice, system, _idle, _wait, hard, soft, steal = (int(value) for value in line[1:9])
        busy = (user + nice + system + hard + soft + steal) / self._tick
        mine = os.times()
        own_s = mine.user + mine.system + mine.children_user + mine.children_system
        return time.monotonic(), busy, own_s, steal / self._tick
