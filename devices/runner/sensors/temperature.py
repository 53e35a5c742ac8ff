"""Temperature of the hottest thermal zone of the processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from devices.runner.sensors.access.files import number, text

# zones that say how hot the processor is; a battery or a wireless chip doesn't slow it down
_RELEVANT = ("cpu", "soc", "x86_pkg", "gpu", "tj", "package", "acpitz")
# a Jetson's PMIC-Die always says 100 degrees, its fan estimate is a mix, and Wi-Fi runs hot by itself
_MISLEADING = ("pmic", "fan", "wifi", "iwl", "batt")
_COLDEST_C, _HOTTEST_C = -40.0, 150.0  # beyond, a zone is switched off: Orin's then say -256


class Temperature:
    """``/sys/class/thermal/thermal_zone*/temp``, in thousandths of a degree Celsius; some vendors' kernels say degrees."""

    def __init__(self, root: Path) -> None:
        zones = sorted((root / "sys/class/thermal").glob("thermal_zone*"))
        kinds = [(zone, (text(zone / "type") or "").lower()) for zone in zones]
        usable = [(zone, kind) for zone, kind in kinds if not any(word in kind for word in _MISLEADING)]
        named = [zone for zone, kind in usable if any(word in kind for word in _RELEVANT)]
        self._files = [zone / "temp" for zone in named or [zone for zone, _ in usable]]

    @property
    def present(self) -> bool:
        """Whether the kernel has a thermal zone that can be read."""
        return bool(self.read())

    def read(self) -> dict[str, Any]:
        """``temperature_c``: the hottest zone."""
        values = [_celsius(value) for value in map(number, self._files) if value is not None and value != 0]
        sane = [value for value in values if _COLDEST_C < value < _HOTTEST_C]
        return {"temperature_c": max(sane)} if sane else {}


def _celsius(value: float) -> float:
    return value / 1000 if abs(value) >= _HOTTEST_C else value
