"""Sensors of a board, each in its own module; one that is absent reads as None, never as zero."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from devices.runner.sensors.clock import CpuClock
from devices.runner.sensors.ina3221 import Ina3221
from devices.runner.sensors.load import Load
from devices.runner.sensors.others import OtherProcesses
from devices.runner.sensors.pmic import RaspberryPmic
from devices.runner.sensors.pressure import MemoryPressure
from devices.runner.sensors.quota import CpuQuota
from devices.runner.sensors.tegrastats import Tegrastats
from devices.runner.sensors.temperature import Temperature
from devices.runner.sensors.throttle import RaspberryThrottle

ROOT_VARIABLE = "EAMDEPLOY_SENSOR_ROOT"


def sensor_root() -> Path:
    """Where /proc and /sys are looked for: the file system's root, or what ``EAMDEPLOY_SENSOR_ROOT`` says."""
    return Path(os.environ.get(ROOT_VARIABLE) or "/")


class Sensor(Protocol):
    """Something that can be read in a few milliseconds, at no more privilege than the run has."""

    def read(self) -> dict[str, Any]:
        """Readings by name; empty when the sensor is absent."""
        ...


class Sensors:
    """All sensors of this machine.

    Args:
        root: where /proc and /sys are looked for; `sensor_root` when left out.
        cores: says which processors ran since it was last asked; those of this process's threads when left out.
    """

    def __init__(self, root: Path | None = None, *, cores: Callable[[], set[int]] | None = None) -> None:
        base = root or sensor_root()
        temperature = Temperature(base)
        module = Ina3221(base)
        self._sensors: list[Sensor] = [
            temperature,
            CpuClock(base, cores),
            RaspberryThrottle(with_temperature=not temperature.present),
            Load(base),
            OtherProcesses(base),
            CpuQuota(base),
            MemoryPressure(base),
            module,
            Tegrastats(enabled=not module.present),
            RaspberryPmic(),
        ]

    def read(self) -> dict[str, Any]:
        """Every reading there is, with ``t_ns`` (monotonic) and ``wall_s`` (seconds since 1970, to notice a jump)."""
        values: dict[str, Any] = {"t_ns": time.perf_counter_ns(), "wall_s": time.time()}  # noqa: TID251 - a time stamp
        for sensor in self._sensors:
            for name, value in sensor.read().items():
                # the first sensor that knows a value wins; the order above is the order of trust
                values.setdefault(name, value)
        return values

    @property
    def problems(self) -> dict[str, str]:
        """Why something that is there could not be read, by what it would have told; known after `read`."""
        problems: dict[str, str] = {}
        for sensor in self._sensors:
            problems.update(getattr(sensor, "problems", {}))
        return problems
