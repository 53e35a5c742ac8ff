"""What a board is, as it answers itself."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any, Literal

from devices.doctor.answer import ProbeAnswer, Survey
from devices.runner.bundle import sensor_modules
from devices.session.answers import decode_answer, marked
from devices.transports.protocol import Transport
from eamdeploy.base.errors import MissingDependency

_PROBE_LIMIT_S = 120.0
_LARGEST = 1e15  # kilobytes, seconds, processors: no board has as many, and "nan" and "inf" are no numbers either
_PYTHON_LIMIT_S = 300.0  # importing the runtimes takes a while on a small or emulated board


@dataclass(frozen=True)
class PythonFacts:
    """The board's Python. A package that is absent is None; one that cannot be imported begins with ``broken:``.

    Attributes:
        version: as in ``3.11.2``.
        executable: its path.
        platform: as in ``linux-aarch64``; names the kernel's machine.
        bits: 32 or 64; a 32-bit Python may run on a 64-bit kernel.
        numpy: version of numpy.
        runtimes: version by package name.
        pip: pip can be run.
        venv: virtual environments can be made.
    """

    version: str
    executable: str
    platform: str
    bits: int
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
        musl: version of a musl C library.
        features: CPU flags.
        readings: what the runner's sensors read (`devices.runner.sensors`), for example ``temperature_c``.
        settings: governor, power mode and the like (`devices.runner.sensors.settings`).
        problems: why something that is there cannot be read, by what it would tell.
        shell_noise: what the login shell prints around answers.
        noexec: folders in which nothing may be executed.
        work_free_files: how many more files the work folder's file system can hold; home_free_files of the home folder's.
        home_silent: its server does not answer.
        home_type: kind of file system of the home folder.
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
    musl: tuple[int, ...] | None
    bits: int | None
    cpus: int | None
    features: frozenset[str]
    memory_mb: int | None
    memory_available_mb: int | None
    swap_mb: int | None
    swap_used_mb: int | None
    load: float | None
    readings: dict[str, Any]
    settings: dict[str, str]
    problems: dict[str, str]
    shell_noise: str | None
    noexec: tuple[str, ...]
    home_type: str | None
    work_folder: str | None
    work_free_mb: int | None
    work_free_files: int | None
    home: str | None
    home_silent: bool
    home_exists: bool
    home_writable: bool
    home_free_mb: int | None
    home_free_files: int | None
    clock_offset_s: float | None
    probe_s: float
    python: PythonFacts | None
    python_error: str | None

    @property
    def temperature_c(self) -> float | None:
        """Of the hottest zone of the processor."""
        return self.readings.get("temperature_c")

    @property
    def throttled(self) -> int | None:
        """Bits of ``vcgencmd get_throttled``."""
        return self.readings.get("throttled")

    @property
    def power_source(self) -> str | None:
        """The sensor that can measure energy."""
        return self.readings.get("power_source")

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        clocks = {name: self.readings.get(name) for name in ("temperature_c", "throttled", "power_source", "clock_mhz")}
        return asdict(self) | clocks | {"features": sorted(self.features), "governor": self.settings.get("governor")}


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
    values = _values(done.text)
    if "machine" not in values and "home" not in values:
        last_line = (done.error_text.splitlines() or done.text.splitlines() or [f"exit status {done.exit_status}"])[-1]
        hint = "the login there must run a POSIX shell: check with: ssh … 'sh -c \"uname -a\"'"
        raise MissingDependency(
            "the board ran no probe, so nothing is known of it", where=transport.name, why=last_line, hint=hint
        )
    noise = getattr(transport, "noise", None)
    values["shell_noise"] = noise.text if noise is not None else ""
    if python == "no" or "home_silent" in values:
        return parse_facts(values, python=None, python_error="not asked", probe_s=elapsed, now=now)
    source = folder.joinpath("python_probe.py").read_text(encoding="utf-8")
    command_result = await transport.run(
        [*transport.python, "-c", source, python],
        stdin=json.dumps(sensor_modules()).encode(),
        timeout_s=_PYTHON_LIMIT_S,
    )
    answers = [text for line in command_result.text.splitlines() if (text := marked(line)) is not None]
    answer = decode_answer(ProbeAnswer, answers[-1], board=transport.name) if answers else None
    python_facts = None if answer is None else _python_facts(answer)
    if answer is not None and answer.libc and not values.get("libc"):
        values["libc"] = answer.libc.strip()  # a board without getconf and ldd
    error = (
        None
        if python_facts
        else (command_result.error_text.splitlines() or [f"exit status {command_result.exit_status}"])[-1]
    )
    sensed = Survey() if answer is None else answer.sensed
    return parse_facts(values, python=python_facts, python_error=error, probe_s=elapsed, now=now, sensed=sensed)


def parse_facts(
    values: Mapping[str, str],
    *,
    python: PythonFacts | None,
    python_error: str | None,
    probe_s: float,
    now: float,
    sensed: Survey = Survey(),  # noqa: B008  # it is frozen
) -> BoardFacts:
    """The facts in the probe's ``name=value`` lines and the sensors' survey; ``now`` is this machine's clock then."""
    libc = values.get("libc") or None
    seconds = _number(values, "seconds")
    swap, swap_free = _megabytes(values, "SwapTotal"), _megabytes(values, "SwapFree")
    problems = dict(sensed.problems)
    if sensed.sensors_error is not None:
        problems["sensors"] = sensed.sensors_error
    return BoardFacts(
        machine=values.get("machine"),
        os=values.get("os"),
        kernel=values.get("kernel"),
        model=values.get("model"),
        user=values.get("user"),
        libc=libc,
        glibc=_glibc_version(libc),
        musl=_musl_version(libc),
        bits=_integer(values, "bits"),
        cpus=_integer(values, "cpus"),
        features=frozenset(values.get("features", "").split()),
        memory_mb=_megabytes(values, "MemTotal"),
        memory_available_mb=_megabytes(values, "MemAvailable"),
        swap_mb=swap,
        swap_used_mb=None if swap is None or swap_free is None else swap - swap_free,
        load=_number(values, "load"),
        readings=sensed.readings.to_dict(),
        settings=dict(sensed.settings),
        problems=problems,
        shell_noise=values.get("shell_noise") or None,
        noexec=tuple(name for name in values.get("noexec", "").split(";") if name),
        home_type=values.get("home_type"),
        work_folder=values.get("work_folder"),
        work_free_mb=_megabytes(values, "work_free_kb"),
        work_free_files=_integer(values, "work_free_files"),
        home=values.get("home"),
        home_silent=values.get("home_silent") == "yes",
        home_exists=values.get("home_exists") == "yes",
        home_writable=values.get("home_writable") == "yes",
        home_free_mb=_megabytes(values, "home_free_kb"),
        home_free_files=_integer(values, "home_free_files"),
        clock_offset_s=None if seconds is None else seconds - now,
        probe_s=probe_s,
        python=python,
        python_error=python_error,
    )


def _values(text: str) -> dict[str, str]:
    """``name=value`` lines; of a name that comes again the values are joined."""
    values: dict[str, str] = {}
    for name, separator, value in (line.partition("=") for line in text.splitlines()):
        if separator:
            values[name] = f"{values[name]};{value}" if name in values else value
    return values


def _python_facts(answer: ProbeAnswer) -> PythonFacts:
    runtimes = ("onnxruntime", "ai_edge_litert", "tflite_runtime", "ncnn", "MNN")
    return PythonFacts(
        version=answer.python,
        executable=answer.executable,
        platform=answer.platform,
        bits=answer.bits,
        numpy=answer.numpy,
        runtimes={name.replace("_", "-"): getattr(answer, name) for name in runtimes},
        pip=answer.pip,
        venv=answer.venv,
    )


def _glibc_version(libc: str | None) -> tuple[int, int] | None:
    match = re.search(r"(?:glibc|GLIBC|GNU libc)\D*(\d+)\.(\d+)", libc or "")
    return (int(match[1]), int(match[2])) if match else None


def _musl_version(libc: str | None) -> tuple[int, ...] | None:
    match = re.search(r"musl(?:.*Version)?\D*(\d+(?:\.\d+)+)", libc or "")
    return tuple(int(part) for part in match[1].split(".")[:3]) if match else None


def _number(values: Mapping[str, str], name: str) -> float | None:
    try:
        number = float(values[name])
    except (KeyError, ValueError):
        return None
    return number if abs(number) <= _LARGEST else None


def _integer(values: Mapping[str, str], name: str) -> int | None:
    number = _number(values, name)
    return None if number is None else int(number)


def _megabytes(values: Mapping[str, str], name: str) -> int | None:
    number = _number(values, name)
    return None if number is None else int(number / 1024)
