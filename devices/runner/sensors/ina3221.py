"""Jetson: power of the whole module, from its INA3221 chip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from devices.runner.sensors.files import number, text

# the rail that feeds everything; its name differs with the module
_INPUT_RAILS = ("VDD_IN", "POM_5V_IN", "5V_IN", "SYS5V", "VDD_TOTAL")


class Ina3221:
    """``/sys/bus/i2c/…/hwmon``: volts (mV) times amperes (mA) of the input rail."""

    def __init__(self, root: Path) -> None:
        self._rail = _input_rail(root)

    def read(self) -> dict[str, Any]:
        """``power_mw`` and ``power_source``."""
        if self._rail is None:
            return {}
        folder, channel, label = self._rail
        millivolts = number(folder / f"in{channel}_input")
        milliamperes = number(folder / f"curr{channel}_input")
        if millivolts is None or milliamperes is None:
            return {}
        return {"power_mw": millivolts * milliamperes / 1000, "power_source": f"INA3221 {label}"}


def _input_rail(root: Path) -> tuple[Path, str, str] | None:
    chips = root / "sys/bus/i2c/drivers/ina3221"
    for file in sorted(chips.glob("*/hwmon/hwmon*/in*_label")):
        label = text(file) or ""
        if label.upper() in _INPUT_RAILS:
            return file.parent, file.name[len("in") : -len("_label")], label
    return None
