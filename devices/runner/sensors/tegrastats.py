"""Jetson: power and clocks as NVIDIA's ``tegrastats`` prints them, where the chip's own files may not be read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import Any

_INTERVAL_MS = 500
_WHOLE = ("VDD_IN", "POM_5V_IN", "VDD_TOTAL")
# ``VDD_IN 5012mW/4998mW`` of JetPack 5 and later, ``POM_5V_IN 1022/1022`` of JetPack 4: now, and the mean
_RAIL = re.compile(r"\b((?:VDD|POM|VIN|CV|GPU|SOC|SYS|CPU)\w*) (\d+)(?:mW)?/\d+(?:mW)?(?= |$)")
_CPUS = re.compile(r"\bCPU \[([^\]]*)\]")
_GPU = re.compile(r"\bGR3D_FREQ \d+%@\[?(\d+)")


class Tegrastats:
    """The last line of a ``tegrastats`` that runs beside the measurement, at two lines a second.

    Args:
        wanted: whether anything needs it; it is started with the first reading.
    """

    def __init__(self, *, enabled: bool) -> None:
        self._path = shutil.which("tegrastats") if enabled else None
        self._process: subprocess.Popen[bytes] | None = None  # noqa: TID251 - on the board
        self._text = b""

    def read(self) -> dict[str, Any]:
        """``power_mw`` and ``power_source``; the processors' clock is read where they are."""
        if self._path is None:
            return {}
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: TID251 - on the board
                [self._path, "--interval", str(_INTERVAL_MS)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            if self._process.stdout is not None:
                os.set_blocking(self._process.stdout.fileno(), False)
        if self._process.stdout is not None:
            self._text = (self._text + (self._process.stdout.read() or b""))[-1 << 16 :]
        lines = self._text.decode(errors="replace").splitlines()
        whole = [line for line in lines[: None if self._text.endswith(b"\n") else -1] if line]
        power = parse_tegrastats(whole[-1]).get("power_mw") if whole else None
        return {} if power is None else {"power_mw": power, "power_source": "tegrastats"}

    def close(self) -> None:
        """End the program."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None


def parse_tegrastats(line: str) -> dict[str, float]:
    """What one line says: ``power_mw`` of the input rail, or of all rails; ``clock_mhz``; ``gpu_mhz``."""
    readings: dict[str, float] = {}
    rails = {name: float(value) for name, value in _RAIL.findall(line)}
    whole = [rails[name] for name in _WHOLE if name in rails]
    if rails:
        readings["power_mw"] = whole[0] if whole else sum(rails.values())
    clocks = [float(each.partition("@")[2]) for each in (_CPUS.findall(line) or [""])[0].split(",") if "@" in each]
    if clocks:
        readings["clock_mhz"] = max(clocks)
    if gpu := _GPU.search(line):
        readings["gpu_mhz"] = float(gpu[1])
    return readings
