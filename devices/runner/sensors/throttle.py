"""Raspberry Pi: under-voltage, throttling and temperature as the firmware sees them."""

from __future__ import annotations

import re
from typing import Any

from devices.runner.sensors.command import Tool


class RaspberryThrottle:
    """``vcgencmd get_throttled``: bits 0-3 now (under-voltage, capped, throttled, soft limit), 16-19 since boot."""

    def __init__(self, *, with_temperature: bool) -> None:
        self._tool = Tool("vcgencmd")
        self._with_temperature = with_temperature

    def read(self) -> dict[str, Any]:
        """``throttled``: the bits; ``temperature_c`` where the kernel has no thermal zone."""
        values: dict[str, Any] = {}
        found = re.search(r"0x([0-9a-fA-F]+)", self._tool.ask("get_throttled") or "")
        if found:
            values["throttled"] = int(found.group(1), 16)
        if self._with_temperature:
            heat = re.search(r"([\d.]+)'C", self._tool.ask("measure_temp") or "")
            if heat:
                values["temperature_c"] = float(heat.group(1))
        return values
