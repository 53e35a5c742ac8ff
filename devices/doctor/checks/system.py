"""Operating system, machine, C library."""

from __future__ import annotations

from collections.abc import Iterator

from devices.doctor.checks.python import MACHINES_32
from devices.doctor.facts import BoardFacts
from devices.doctor.finding import Diagnosis
from devices.doctor.wheels import runtime_wheels

_ABSENT = "not known"


def check_system(facts: BoardFacts) -> Iterator[Diagnosis]:
    """What the board says it is."""
    yield Diagnosis("board", "ok", facts.model or "no device tree: not a Raspberry Pi or Jetson, or emulated")
    system_text = f"{facts.os or _ABSENT}, kernel {facts.kernel or _ABSENT}, user {facts.user or _ABSENT}"
    yield Diagnosis("system", "ok", system_text)


def check_login_shell(facts: BoardFacts) -> Iterator[Diagnosis]:
    """What it prints on every command is left out of answers, and costs the time that printing takes."""
    if facts.shell_noise:
        meaning = "it prints this on every command; it is left out of all answers"
        yield Diagnosis("login shell", "note", facts.shell_noise, meaning, "print only where there is a terminal")


def check_machine(facts: BoardFacts) -> Iterator[Diagnosis]:
    """Runtimes have 64-bit wheels only."""
    python_32 = facts.python is not None and facts.python.bits == 32
    if facts.machine in MACHINES_32 or facts.bits == 32 or python_32:
        yield Diagnosis(
            "machine", "problem", f"{facts.machine}, 32-bit programs",
            "numpy, which every runtime needs, has no wheels for 32-bit systems",
            "install the 64-bit system (Raspberry Pi OS 64-bit); a Zero 2 W and every later board runs it",
        )  # fmt: skip
    else:
        yield Diagnosis("machine", "ok", facts.machine or _ABSENT)


def check_glibc(facts: BoardFacts) -> Iterator[Diagnosis]:
    """Wheels name the oldest C library that they run with."""
    if facts.musl is not None:
        yield _check_musl(facts.musl)
        return
    if facts.glibc is None:
        yield Diagnosis(
            "C library", "problem", facts.libc or _ABSENT,
            "the runtimes' wheels need the GNU C library", "use a Debian based system, not Alpine",
        )  # fmt: skip
        return
    version_text = f"glibc {facts.glibc[0]}.{facts.glibc[1]}"
    newer = [wheel for wheel in runtime_wheels() if wheel.glibc > facts.glibc]
    too_new = [f"{wheel.package} needs {wheel.glibc[0]}.{wheel.glibc[1]}" for wheel in newer]
    if len(too_new) == len(runtime_wheels()):
        yield Diagnosis(
            "C library", "problem", version_text, "no runtime has wheels for it: " + ", ".join(too_new),
            "install a newer system: Debian 10 or JetPack 5 and later",
        )  # fmt: skip
    elif too_new:
        yield Diagnosis(
            "C library", "warning", version_text, ", ".join(too_new), "use the other runtime, or a newer system"
        )
    else:
        yield Diagnosis("C library", "ok", version_text)


def _check_musl(musl: tuple[int, ...]) -> Diagnosis:
    libc_text = f"musl {'.'.join(map(str, musl))}"
    wheels = {wheel.package: wheel.musl for wheel in runtime_wheels() if wheel.musl is not None}
    needs = ", ".join(f"{package} needs {'.'.join(map(str, oldest))}" for package, oldest in wheels.items())
    if not any(musl >= oldest for oldest in wheels.values()):
        hint = "install a newer system, or a Debian based one"
        return Diagnosis("C library", "problem", libc_text, f"no runtime has wheels for it: {needs}", hint)
    meaning = f"of the runtimes only {' and '.join(wheels)} has wheels for it"
    return Diagnosis("C library", "warning", libc_text, meaning, "for the others use a Debian based system, not Alpine")
