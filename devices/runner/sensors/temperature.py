"""Temperature of the hottest thermal zone of the processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from devices.runner.sensors.files import number, text

# zones that say how hot the processor is; a battery or a wireless chip doesn't slow it down
_RELEVANT = ("cpu", "soc", "x86_pkg", "gpu", "tj", "package", "acpitz")


class Temperature:
    """``/sys/class/thermal/thermal_zone*/temp``, in thousandths of a degree Celsius."""

    def __init__(self, root: Path) -> None:
        zones = sorted((root / "sys/class/thermal").glob("thermal_zone*"))
        kinds = [(text(zone / "type") or "").lower() for zone in zones]
        named = [zone for zone, kind in zip(zones, kinds) if any(word in kind for word in _RELEVANT)]
        self._files = [zone / "temp" for zone in named or zones]

    @property
    def present(self) -> bool:
        """Whether the kernel has a thermal zone."""
        return bool(self._files)

    def read(self) -> dict[str, Any]:
        """``temperature_c``: the hottest zone."""
        values = [value for value in map(number, self._files) if value is not None and value > 0]
        return {"temperature_c": max(values) / 1000} if values else {}
