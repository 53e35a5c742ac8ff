"""What somebody set on a machine and figures depend on: governor, power mode, locked clocks, fan, power supply.

Two runs are comparable when these are equal. What a machine does not have is left out.
"""

from __future__ import annotations

import re
from pathlib import Path

from devices.runner.sensors.access.command import Tool
from devices.runner.sensors.access.files import number, text
from devices.runner.sensors.throttle import RaspberryThrottle

UNDER_VOLTAGE_SINCE_BOOT = 1 << 16
_FANS = ("pwmfan", "pwm-fan", "pwm_fan")
_FAN_MANUAL = 1
_GPUS = r"gpu|gm20b|gp10b|gv11b|ga10b"  # by device tree node, or by the chip's name in the driver


class Settings:
    """The settings of one machine, and why one could not be read."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.problems: dict[str, str] = {}

    def read(self) -> dict[str, str]:
        """Settings by name."""
        settings_read = {
            "governor": governors(self._root),
            "power_mode": self._power_mode(),
            "clocks": locked_clocks(self._root) if is_jetson(self._root) else None,
            "fan": fan(self._root),
            "power_supply": self._power_supply(),
        }
        return {name: value for name, value in settings_read.items() if value}

    def _power_mode(self) -> str | None:
        tool = Tool("nvpmodel")
        if not tool.present:
            return None
        mode = parse_power_mode(tool.ask("-q") or "")
        if mode is None:
            self.problems["power mode"] = (
                tool.problem or "nvpmodel -q names no mode; it may need root: sudo nvpmodel -q"
            )
        return mode

    def _power_supply(self) -> str | None:
        bits = RaspberryThrottle(with_temperature=False).read().get("throttled")
        if bits is None:
            return None
        return "under-voltage since boot" if bits & UNDER_VOLTAGE_SINCE_BOOT else "no under-voltage since boot"


def governors(root: Path) -> str | None:
    """The frequency governors, with their processors where they differ."""
    cpus: dict[str, list[int]] = {}
    for file in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"):
        if name := text(file):
            cpus.setdefault(name, []).append(int(file.parts[-3][len("cpu") :]))
    if len(cpus) <= 1:
        return next(iter(cpus), None)
    return ", ".join(f"{name} (CPU {_range(sorted(numbers))})" for name, numbers in sorted(cpus.items()))


def _range(numbers: list[int]) -> str:
    consecutive = numbers[-1] - numbers[0] == len(numbers) - 1 > 0
    return f"{numbers[0]}-{numbers[-1]}" if consecutive else ",".join(map(str, numbers))


def parse_power_mode(answer: str) -> str | None:
    """``15W (2)`` from what ``nvpmodel -q`` prints: ``NV Power Mode: 15W`` and the mode's number on the next line."""
    match = re.search(r"NV Power Mode:\s*(\S+)\s+(\d+)", answer)
    return f"{match[1]} ({match[2]})" if match else None


def is_jetson(root: Path) -> bool:
    """Whether the device tree says so."""
    return "jetson" in (text(root / "proc/device-tree/model") or "").lower()


def locked_clocks(root: Path) -> str | None:
    """What ``jetson_clocks`` does: lowest and highest frequency are the same on every processor and on the GPU."""
    folders = list((root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq"))
    pairs = [(number(folder / "scaling_min_freq"), number(folder / "scaling_max_freq")) for folder in folders]
    gpus = [folder for folder in (root / "sys/class/devfreq").glob("*") if re.search(_GPUS, folder.name)]
    pairs += [(number(folder / "min_freq"), number(folder / "max_freq")) for folder in gpus]
    clock_pairs = [pair for pair in pairs if None not in pair]
    if not clock_pairs:
        return None
    return "locked (jetson_clocks)" if all(low == high for low, high in clock_pairs) else "free"


def fan(root: Path) -> str | None:
    """How the fan is driven: by temperature, at a fixed speed, or not at all."""
    for chip in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        if (text(chip / "name") or "") in _FANS:
            mode, speed = number(chip / "pwm1_enable"), number(chip / "pwm1")
            if mode is None and speed is None:
                continue
            if mode == 0 or (mode is None and speed == 0):
                return "off"
            if mode == _FAN_MANUAL and speed is not None:
                return f"fixed at {speed:.0f} of 255"
            return "automatic" if mode is not None else "on"
    old = number(root / "sys/devices/pwm-fan/target_pwm")  # JetPack 4
    return None if old is None else "off" if old == 0 else "on"
