"""Which processors this process's threads ran on: a clock is only worth reading where the work is done."""

from __future__ import annotations

import os
from pathlib import Path

from devices.runner.sensors.access.files import text

_BUSY_SHARE = 0.1  # of the busiest thread's time; pools have threads that only wait


class CoresThatRan:
    """Threads that used processor time since the last question, and the processor each was on."""

    def __init__(self, tasks: Path = Path("/proc/self/task")) -> None:
        self._tasks = tasks
        self._before = self._now()

    def read(self) -> set[int]:
        """Processors; those that are allowed to this process where nothing ran."""
        now, before = self._now(), self._before
        self._before = now
        ticks_by_task = {task: ticks - before.get(task, (0, 0))[0] for task, (ticks, _) in now.items()}
        most = max(ticks_by_task.values(), default=0)
        if most <= 0:
            return allowed()
        return {now[task][1] for task, ticks in ticks_by_task.items() if ticks > _BUSY_SHARE * most}

    def _now(self) -> dict[str, tuple[int, int]]:
        seconds_by_core = {}
        try:
            tasks = list(self._tasks.iterdir())
        except OSError:
            return {}
        for task in tasks:
            # after the name in brackets: state is field 3, user and system time 14 and 15, the last processor 39
            fields = (text(task / "stat") or "").rpartition(")")[2].split()
            if len(fields) > 36:
                seconds_by_core[task.name] = (int(fields[11]) + int(fields[12]), int(fields[36]))
        return seconds_by_core


def allowed() -> set[int]:
    """Processors that this process may use."""
    return set(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else set()
