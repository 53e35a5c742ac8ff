"""Jetson: power of the whole module, from its INA3221 chips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from devices.runner.sensors.access.files import number, text

# the rail that feeds everything; its name differs with the module. AGX modules have none: there the rails add up
_INPUT_RAILS = ("VDD_IN", "POM_5V_IN", "5V_IN", "VDD_TOTAL")
_NO_RAILS = ("", "NC", "sum of shunt voltages")


class _Rail(NamedTuple):
    label: str
    milliwatts: Callable[[], float | None]


class Ina3221:
    """``/sys/bus/i2c/drivers/ina3221``: mV times mA; of JetPack 4 ``ina3221x``: mW."""

    def __init__(self, root: Path) -> None:
        rails = [rail for rail in (*_hwmon_rails(root), *_iio_rails(root)) if rail.label not in _NO_RAILS]
        whole = [rail for rail in rails if rail.label.upper() in _INPUT_RAILS]
        self._rails = whole[:1] or rails
        self._source = f"INA3221 {whole[0].label}" if whole else f"INA3221, sum of {len(rails)} rails"
        self.problems: dict[str, str] = {}

    @property
    def present(self) -> bool:
        """Whether the chip's files are there and can be read."""
        return bool(self.read())

    def read(self) -> dict[str, Any]:
        """``power_mw`` and ``power_source``."""
        if not self._rails:
            return {}
        values = [rail.milliwatts() for rail in self._rails]
        if any(value is None for value in values):
            self.problems["energy"] = "the INA3221's files cannot be read by this user: allow it with a udev rule"
            return {}
        milliwatts = float(sum(value or 0.0 for value in values))
        if milliwatts < 0:
            self.problems["energy"] = (
                "the INA3221 reads a negative power: the board is fed by another way than it measures"
            )
            return {}
        return {"power_mw": milliwatts, "power_source": self._source}


def _hwmon_rails(root: Path) -> Iterator[_Rail]:
    for file in sorted((root / "sys/bus/i2c/drivers/ina3221").glob("*/hwmon/hwmon*/in*_label")):
        channel, folder = file.name[len("in") : -len("_label")], file.parent

        def milliwatts(folder: Path = folder, channel: str = channel) -> float | None:
            volts, amperes = number(folder / f"in{channel}_input"), number(folder / f"curr{channel}_input")
            return None if volts is None or amperes is None else volts * amperes / 1000

        yield _Rail(text(file) or "", milliwatts)


def _iio_rails(root: Path) -> Iterator[_Rail]:
    for file in sorted((root / "sys/bus/i2c/drivers/ina3221x").glob("*/iio:device*/rail_name_*")):
        power = file.parent / f"in_power{file.name.rpartition('_')[2]}_input"
        yield _Rail(text(file) or "", lambda power=power: number(power))  # type: ignore[misc]
