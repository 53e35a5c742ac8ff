"""What spoils figures: heat, power, clocks, load."""

from __future__ import annotations

from collections.abc import Iterator

from devices.doctor.facts import BoardFacts
from devices.doctor.finding import Diagnosis

_HOT_C, _BUSY_LOAD_PER_CPU = 70.0, 0.25
_BITS = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
_SINCE_BOOT = 16
_STEADY_GOVERNOR = "performance"
_MAX_CLOCK_OFFSET_S = 120.0


def check_governor(facts: BoardFacts) -> Iterator[Diagnosis]:
    """A governor that follows the load makes the first inferences slow."""
    governor = facts.settings.get("governor")
    if not governor:
        yield Diagnosis("governor", "note", "absent", "clocks cannot be read on this board: runs cannot show them")
        return
    reading, top = governor, facts.readings.get("clock_max_mhz")
    if top:
        reading += f", up to {top:.0f} MHz"
    if governor == _STEADY_GOVERNOR:
        yield Diagnosis("governor", "ok", reading)
    else:
        hint = "for steadier figures: echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
        yield Diagnosis("governor", "note", reading, "the clock follows the load; warm-up takes longer", hint)


def check_temperature(facts: BoardFacts) -> Iterator[Diagnosis]:
    """Near the limit a board slows down."""
    if facts.temperature_c is None:
        yield Diagnosis(
            "temperature", "note", "absent", "no thermal sensor: runs cannot show that the board stayed cool"
        )
    elif facts.temperature_c >= _HOT_C:
        yield Diagnosis(
            "temperature",
            "warning",
            f"{facts.temperature_c:.1f} °C",
            "close to where boards slow down",
            "cool it first",
        )
    else:
        yield Diagnosis("temperature", "ok", f"{facts.temperature_c:.1f} °C")


def check_throttling(facts: BoardFacts) -> Iterator[Diagnosis]:
    """Raspberry Pi's firmware says whether power or heat has slowed it."""
    if facts.throttled is None:
        return
    now = [name for bit, name in _BITS.items() if facts.throttled >> bit & 1]
    before = [name for bit, name in _BITS.items() if facts.throttled >> (bit + _SINCE_BOOT) & 1]
    flags = f"0x{facts.throttled:x}"
    hint = "use the board's own power supply and a short cable; add a heat sink or a fan"
    if now:
        yield Diagnosis("throttling", "problem", flags, f"now: {', '.join(now)}; figures would not be valid", hint)
    elif before:
        yield Diagnosis("throttling", "warning", flags, f"since it was switched on: {', '.join(before)}", hint)
    else:
        yield Diagnosis("throttling", "ok", flags)


def check_power(facts: BoardFacts) -> Iterator[Diagnosis]:
    """Power mode of a Jetson, and whether energy can be measured."""
    mode, clocks, fan = (facts.settings.get(name) for name in ("power_mode", "clocks", "fan"))
    if mode:
        yield Diagnosis("power mode", "ok", mode, "figures hold for this mode only", "change it with nvpmodel -m")
    if clocks == "free":
        yield Diagnosis("clocks", "note", clocks, "they follow the load", "for steadier figures: sudo jetson_clocks")
    elif clocks:
        yield Diagnosis("clocks", "ok", clocks)
    if fan:
        yield Diagnosis("fan", "ok", fan)
    if facts.power_source:
        yield Diagnosis("energy", "ok", facts.power_source)
    else:
        yield Diagnosis("energy", "note", "no sensor", "energy will be null")


def check_sensors(facts: BoardFacts) -> Iterator[Diagnosis]:
    """What is there and may not be read is no absent sensor."""
    for name, problem in facts.problems.items():
        yield Diagnosis(name, "warning", "cannot be read", problem)


def check_load(facts: BoardFacts) -> Iterator[Diagnosis]:
    """Other work on the board is in the figures."""
    if facts.load is None:
        return
    busy = facts.load > max(1, facts.cpus or 1) * _BUSY_LOAD_PER_CPU
    meaning, hint = ("something else is running", "stop it before measuring (top)") if busy else ("", "")
    yield Diagnosis("load", "warning" if busy else "ok", f"{facts.load:.2f} on {facts.cpus or '?'} CPUs", meaning, hint)


def check_clock(facts: BoardFacts) -> Iterator[Diagnosis]:
    """A board without a battery starts in the past; time stamps and TLS suffer, measurements don't."""
    if facts.clock_offset_s is not None and abs(facts.clock_offset_s) > _MAX_CLOCK_OFFSET_S:
        offset_text = f"{facts.clock_offset_s:+.0f} s against this machine"
        meaning = "durations are not affected; installing from an index may fail"
        yield Diagnosis(
            "clock", "warning", offset_text, meaning, "switch on time synchronisation (timedatectl set-ntp true)"
        )
