"""Raspberry Pi: under-voltage, throttling and temperature as the firmware sees them."""

from __future__ import annotations

import re
from typing import Any

from devices.runner.sensors.access.command import Tool


class RaspberryThrottle:
    """``vcgencmd get_throttled``: bits 0-3 now (under-voltage, capped, throttled, soft limit), 16-19 since boot."""

    def __init__(self, *, with_temperature: bool) -> None:
        self._tool = Tool("vcgencmd")
        self._with_temperature = with_temperature
        self.problems: dict[str, str] = {}

    def read(self) -> dict[str, Any]:
        """``throttled``: the bits; ``temperature_c`` where the kernel has no thermal zone."""
        values: dict[str, Any] = {}
        if not self._tool.present:
            return values
        answer = self._tool.ask("get_throttled")
        bits = parse_throttled(answer or "")
        if bits is not None:
            values["throttled"] = bits
        else:
            self.problems["throttling"] = (
                self._tool.problem or f"'vcgencmd get_throttled' answers '{(answer or '')[:100]}'"
            )
        if self._with_temperature:
            heat = re.fullmatch(r"temp=([\d.]+)'C", self._tool.ask("measure_temp") or "")
            if heat:
                values["temperature_c"] = float(heat.group(1))
        return values


def parse_throttled(answer: str) -> int | None:
    """The bits in ``throttled=0x50005``."""
    match = re.fullmatch(r"throttled=0x([0-9a-fA-F]+)", answer.strip())
    return int(match[1], 16) if match else None
