"""What doesn't change during a run: the machine, its software, its settings. What is absent is left out."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from devices.runner.sensors import sensor_root
from devices.runner.sensors.settings import Settings


def read() -> dict[str, str]:
    """Facts as strings; loading an artifact tells the versions of numpy and of the runtime."""
    readings: dict[str, str | None] = {
        "model": _text("/proc/device-tree/model") or _text("/sys/devices/virtual/dmi/id/product_name"),
        "cpu": _cpu_name(),
        "cpus": str(os.cpu_count() or ""),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "os": _os_name(),
        "libc": " ".join(platform.libc_ver()).strip(),
        "python": sys.version.split()[0],
        "memory_mb": _memory_total(),
        **Settings(sensor_root()).read(),
    }
    return {name: value for name, value in readings.items() if value}


def memory_mb(field: str) -> float | None:
    """A line of this process's /proc/self/status in MB: ``VmRSS`` now, ``VmHWM`` at its peak."""
    return _kilobytes("/proc/self/status", field)


def _memory_total() -> str | None:
    total = _kilobytes("/proc/meminfo", "MemTotal")
    return None if total is None else f"{total:.0f}"


def _kilobytes(path: str, field: str) -> float | None:
    for line in (_text(path) or "").splitlines():
        name, _, rest = line.partition(":")
        if name == field:
            return int(rest.split()[0]) / 1024
    return None


def _cpu_name() -> str | None:
    fields = dict(line.split(":", 1) for line in (_text("/proc/cpuinfo") or "").splitlines() if ":" in line)
    names = {name.strip(): value.strip() for name, value in fields.items()}
    if "model name" in names:
        return names["model name"]
    part = names.get("CPU part")
    return None if part is None else f"{names.get('CPU implementer', '')}/{part}"


def _os_name() -> str | None:
    for line in (_text("/etc/os-release") or "").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return None


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text(errors="replace").strip("\0\n ")
    except OSError:
        return None
