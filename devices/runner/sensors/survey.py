"""One look at everything that a run would record: readings, settings, and why something cannot be read."""

from __future__ import annotations

from typing import Any

from devices.runner.sensors import Sensors, sensor_root
from devices.runner.sensors.clock import top_speed_mhz
from devices.runner.sensors.settings import Settings


def survey() -> dict[str, Any]:
    """``readings``, ``settings`` and ``problems``, each by name."""
    root = sensor_root()
    sensors, settings = Sensors(root), Settings(root)
    readings, values = sensors.read(), settings.read()
    top = top_speed_mhz(root)
    return {
        "readings": {**readings, **({"clock_max_mhz": top} if top else {})},
        "settings": values,
        "problems": {**sensors.problems, **settings.problems},
    }
