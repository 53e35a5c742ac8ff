"""Raspberry Pi 5: power of the board's rails, from its power-management chip."""

from __future__ import annotations

import re
from typing import Any

from devices.runner.sensors.command import Tool

_LINE = re.compile(r"(\w+)_([AV]) (?:current|volt)\(\d+\)=([\d.]+)[AV]")


class RaspberryPmic:
    """``vcgencmd pmic_read_adc``: a current and a voltage for every rail; USB and the 5 V input are not among them."""

    def __init__(self) -> None:
        self._tool = Tool("vcgencmd")
        self._absent = not self._tool.present

    def read(self) -> dict[str, Any]:
        """``power_mw``: the sum over the rails, and ``power_source``."""
        if self._absent:
            return {}
        rails: dict[str, dict[str, float]] = {}
        for name, unit, value in _LINE.findall(self._tool.ask("pmic_read_adc") or ""):
            rails.setdefault(name, {})[unit] = float(value)
        watts = [rail["A"] * rail["V"] for rail in rails.values() if len(rail) == 2]
        if not watts:
            self._absent = True  # an older board; it need not be asked again
            return {}
        return {"power_mw": sum(watts) * 1000, "power_source": "Raspberry Pi PMIC rails"}
