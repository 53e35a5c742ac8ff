"""What a board is, as it answers itself."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any, Literal

from devices.runner import wire
from devices.transports.protocol import Transport

_PROBE_LIMIT_S = 120.0
_PYTHON_LIMIT_S = 300.0  # importing the runtimes takes a while on a small or emulated board


@dataclass(frozen=True)
class PythonFacts:
    """The board's Python. A package that is absent is None; one that cannot be imported begins with ``broken:``.

    Attributes:
        version: as in ``3.11.2``.
        executable: its path.
        platform: as in ``linux-aarch64``; tells a 32-bit Python on a 64-bit kernel.
        numpy: version of numpy.
        runtimes: version by package name.
        pip: pip can be run.
        venv: virtual environments can be made.
    """

    version: str
    executable: str
    platform: str
    numpy: str | None
    runtimes: dict[str, str | None]
    pip: bool
    venv: bool

    @property
    def release(self) -> tuple[int, int]:
        """Major and minor version."""
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)


@dataclass(frozen=True)
class BoardFacts:
    """What a board answered; None, or empty, where it could not.

    Attributes:
        machine: ``uname -m``.
        libc: C library and its version, as the board names it.
        glibc: version of a GNU C library.
        features: CPU flags.
        governors: distinct frequency governors.
        throttled: bits of ``vcgencmd get_throttled``.
        power_source: the sensor that can measure energy.
        clock_offset_s: the board's clock minus this machine's.
        probe_s: how long asking took: the link's and the board's speed.
    """

    machine: str | None
    os: str | None
    kernel: str | None
    model: str | None
    user: str | None
    libc: str | None
    glibc: tuple[int, int] | None
    bits: int | None
    cpus: int | None
    features: frozenset[str]
    memory_mb: int | None
    memory_available_mb: int | None
    swap_mb: int | None
    swap_used_mb: int | None
    load: float | None
    governors: tuple[str, ...]
    clock_mhz: float | None
    clock_max_mhz: float | None
    temperature_c: float | None
    throttled: int | None
    nvpmodel: str | None
    power_source: str | None
    work_folder: str | None
    work_free_mb: int | None
    home: str | None
    home_writable: bool
    home_free_mb: int | None
    clock_offset_s: float | None
    probe_s: float
    python: PythonFacts | None
    python_error: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"features": sorted(self.features)}


async def read_facts(transport: Transport, *, python: Literal["no", "version", "import"] = "import") -> BoardFacts:
    """Ask a connected board what it is; nothing is changed on it.

    Args:
        transport: the board.
        python: whether to start Python there, and to import the packages (which takes seconds, and shows whether they
            work) or only to read their versions.

    Raises:
        BoardUnreachable: the link was lost.
    """
    folder = resources.files("devices.doctor")
    script = folder.joinpath("probe.sh").read_text(encoding="utf-8")
    started = time.monotonic()
    done = await transport.run(["sh", "-c", script], timeout_s=_PROBE_LIMIT_S)
    now, elapsed = datetime.now(UTC).timestamp(), time.monotonic() - started
    values = dict(line.split("=", 1) for line in done.text.splitlines() if "=" in line)
    if python == "no":
        return parse_facts(values, python=None, python_error="not asked", probe_s=elapsed, now=now)
    source = folder.joinpath("python_probe.py").read_text(encoding="utf-8")
    asked = await transport.run([*transport.python, "-c", source, python], timeout_s=_PYTHON_LIMIT_S)
    answers = [message for line in asked.text.splitlines() if (message := wire.decode(line))]
    found = _python_facts(answers[-1]) if answers else None
    error = None if found else (asked.error_text.splitlines() or [f"exit status {asked.exit_status}"])[-1]
    return parse_facts(values, python=found, python_error=error, probe_s=elapsed, now=now)


def parse_facts(
    values: Mapping[str, str], *, python: PythonFacts | None, python_error: str | None, probe_s: float, now: float
) -> BoardFacts:
    """The facts in the probe's ``name=value`` lines; ``now`` is this machine's clock when they came."""
    glibc = re.search(r"(?:glibc|GLIBC|GNU libc)\D*(\d+)\.(\d+)", values.get("libc", ""))
    throttled = re.search(r"0x([0-9a-fA-F]+)", values.get("throttled", ""))
    seconds = _number(values, "seconds")
    swap, swap_free = _megabytes(values, "SwapTotal"), _megabytes(values, "SwapFree")
    heat = _number(values, "temperature")
    return BoardFacts(
        machine=values.get("machine"),
        os=values.get("os"),
        kernel=values.get("kernel"),
        model=values.get("model"),
        user=values.get("user"),
        libc=values.get("libc"),
        glibc=(int(glibc[1]), int(glibc[2])) if glibc else None,
        bits=_integer(values, "bits"),
        cpus=_integer(values, "cpus"),
        features=frozenset(values.get("features", "").split()),
        memory_mb=_megabytes(values, "MemTotal"),
        memory_available_mb=_megabytes(values, "MemAvailable"),
        swap_mb=swap,
        swap_used_mb=None if swap is None or swap_free is None else swap - swap_free,
        load=_number(values, "load"),
        governors=tuple(name for name in values.get("governor", "").split(";") if name),
        clock_mhz=_scaled(values, "clock_khz", 1000),
        clock_max_mhz=_scaled(values, "clock_max_khz", 1000),
        temperature_c=None if heat is None else heat / 1000,
        throttled=int(throttled[1], 16) if throttled else None,
        nvpmodel=values.get("nvpmodel"),
        power_source="INA3221" if values.get("power") else "Raspberry Pi PMIC" if values.get("pmic") else None,
        work_folder=values.get("work_folder"),
        work_free_mb=_megabytes(values, "work_free_kb"),
        home=values.get("home"),
        home_writable=values.get("home_writable") == "yes",
        home_free_mb=_megabytes(values, "home_free_kb"),
        clock_offset_s=None if seconds is None else seconds - now,
        probe_s=probe_s,
        python=python,
        python_error=python_error,
    )


def _python_facts(answer: Mapping[str, Any]) -> PythonFacts:
    runtimes = ("onnxruntime", "ai_edge_litert", "tflite_runtime")
    return PythonFacts(
        version=answer["python"],
        executable=answer["executable"],
        platform=answer["platform"],
        numpy=answer["numpy"],
        runtimes={name.replace("_", "-"): answer[name] for name in runtimes},
        pip=answer["pip"],
        venv=answer["venv"],
    )


def _number(values: Mapping[str, str], name: str) -> float | None:
    try:
        return float(values[name])
    except (KeyError, ValueError):
        return None


def _integer(values: Mapping[str, str], name: str) -> int | None:
    number = _number(values, name)
    return None if number is None else int(number)


def _scaled(values: Mapping[str, str], name: str, divisor: float) -> float | None:
    number = _number(values, name)
    return None if number is None else number / divisor


def _megabytes(values: Mapping[str, str], name: str) -> int | None:
    number = _number(values, name)
    return None if number is None else int(number / 1024)
