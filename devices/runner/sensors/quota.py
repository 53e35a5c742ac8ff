"""A container's or a service's CPU quota: how often the kernel stopped this process because it was used up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from devices.runner.sensors.access.files import text


class CpuQuota:
    """``cpu.stat`` of this process's control group and of those above it, versions 1 and 2."""

    def __init__(self, root: Path) -> None:
        self._files = list(_files(root))
        self._before = self._now()

    def read(self) -> dict[str, Any]:
        """Since the last reading: ``quota_periods``, and ``quota_throttled``, those in which the process was stopped.

        Of several groups, the one that was stopped most. Empty where no quota holds.
        """
        now, before = self._now(), self._before
        self._before = now
        steps = [(late[1] - early[1], late[0] - early[0]) for late, early in zip(now, before)]
        throttled, periods = max(steps, default=(0, 0))
        return {"quota_periods": periods, "quota_throttled": throttled} if periods > 0 else {}

    def _now(self) -> list[tuple[int, int]]:
        return [parse_cpu_stat(text(file) or "") for file in self._files]


def parse_cpu_stat(content: str) -> tuple[int, int]:
    """Periods, and periods in which the group was stopped; zeros where the file has neither."""
    values = dict(line.split(None, 1) for line in content.splitlines() if len(line.split()) == 2)
    return int(values.get("nr_periods", 0)), int(values.get("nr_throttled", 0))


def _files(root: Path) -> Iterator[Path]:
    """Every ``cpu.stat`` from the process's own group up to the top that can be seen."""
    for line in (text(root / "proc/self/cgroup") or "").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            mounts = [root / "sys/fs/cgroup", root / "sys/fs/cgroup/unified"]
        elif "cpu" in controllers.split(","):
            mounts = [root / "sys/fs/cgroup" / controllers, root / "sys/fs/cgroup/cpu"]
        else:
            continue
        mount = next((mount for mount in mounts if mount.is_dir()), None)
        if mount is None:
            continue
        # within a container the path may be the host's, which cannot be seen: its own group is then the top
        folder = mount / path.strip("/") if ".." not in path.split("/") else mount
        yield from (each / "cpu.stat" for each in (folder, *folder.parents) if each.is_relative_to(mount))
