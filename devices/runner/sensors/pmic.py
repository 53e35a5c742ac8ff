"""Raspberry Pi 5: power of the board's rails, from its power-management chip."""

from __future__ import annotations

import re
from typing import Any

from devices.runner.sensors.access.command import Tool

_LINE = re.compile(r"^\s*(\w+)_([AV]) (?:current|volt)\(\d+\)=([\d.]+)[AV]$", re.MULTILINE)


class RaspberryPmic:
    """``vcgencmd pmic_read_adc``: a current and a voltage for every rail; USB and the 5 V input are not among them."""

    def __init__(self) -> None:
        self._tool = Tool("vcgencmd")
        self._absent = not self._tool.present
        self.problems: dict[str, str] = {}

    def read(self) -> dict[str, Any]:
        """``power_mw``: the sum over the rails, and ``power_source``."""
        if self._absent:
            return {}
        watts = parse_rails(self._tool.ask("pmic_read_adc") or "")
        if watts is None:
            self._absent = True  # an older board, which answers with an error; it need not be asked again
            if self._tool.problem and "refused" in self._tool.problem:
                self.problems["energy"] = self._tool.problem
            return {}
        return {"power_mw": watts * 1000, "power_source": "Raspberry Pi PMIC rails"}


def parse_rails(answer: str) -> float | None:
    """Watts of all rails that have both a current and a voltage; None where there is none."""
    rails: dict[str, dict[str, float]] = {}
    for name, unit, value in _LINE.findall(answer):
        rails.setdefault(name, {})[unit] = float(value)
    watts = [rail["A"] * rail["V"] for rail in rails.values() if len(rail) == 2]
    return sum(watts) if watts else None
