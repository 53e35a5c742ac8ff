"""The whole examination of a board."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from devices.doctor.checks import conditions, cpu, python, room, system
from devices.doctor.facts import BoardFacts, read_facts
from devices.doctor.finding import Diagnosis
from devices.transports.protocol import Transport

Check = Callable[[BoardFacts], Iterable[Diagnosis]]

CHECKS: tuple[Check, ...] = (
    system.check_system,
    system.check_login_shell,
    system.check_machine,
    system.check_glibc,
    python.check_python,
    python.check_numpy,
    python.check_runtimes,
    cpu.check_features,
    cpu.check_int8,
    conditions.check_governor,
    conditions.check_temperature,
    conditions.check_throttling,
    conditions.check_power,
    conditions.check_sensors,
    conditions.check_load,
    conditions.check_clock,
    room.check_memory,
    room.check_swap,
    room.check_disk,
)


@dataclass(frozen=True)
class Examination:
    """What a board answered and what that means."""

    facts: BoardFacts
    findings: tuple[Diagnosis, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing stops a run."""
        return all(finding.level != "problem" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "healthy": self.healthy,
            "checks": [finding.to_dict() for finding in self.findings],
            "facts": self.facts.to_dict(),
        }


async def examine(transport: Transport) -> Examination:
    """Connect to a board and look at it; nothing is changed there.

    Raises:
        BoardUnreachable: it cannot be reached.
    """
    await transport.connect()
    return judge(await read_facts(transport))


def judge(facts: BoardFacts) -> Examination:
    """What the facts mean."""
    return Examination(facts, tuple(finding for check in CHECKS for finding in check(facts)))
