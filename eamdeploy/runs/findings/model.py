"""Checks, findings, and where they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Location:
    """A place in a file, or a named part of a model.

    Attributes:
        path: the file, as a user could open it from where the command was run.
        line: 1-based line, where the file has lines.
        logical: a dotted name inside the file, such as a layer (``features.3.conv``).
    """

    path: str | PurePath
    line: int | None = None
    logical: str | None = None

    def __str__(self) -> str:
        text = str(self.path) if self.line is None else f"{self.path}:{self.line}"
        return f"{text} [{self.logical}]" if self.logical else text

    def to_dict(self) -> dict[str, Any]:
        """The location as JSON types."""
        return {"path": str(self.path), "line": self.line, "logical": self.logical}


@dataclass(frozen=True)
class Rule:
    """What a finding breaks: a stable ``id`` (``parity/top1-flips``), one sentence, and what to do about it."""

    id: str
    summary: str
    help: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth a note, at a place."""

    rule: str
    level: Level
    message: str
    location: Location | None = None

    def to_dict(self) -> dict[str, Any]:
        """The finding as JSON types."""
        place = self.location.to_dict() if self.location else None
        return {"rule": self.rule, "level": self.level, "message": self.message, "location": place}


@dataclass(frozen=True)
class Check:
    """One question that was asked, and its answer.

    Attributes:
        name: what was asked, short (``latency_ms.p50``).
        passed: the answer; a skipped check counts as neither.
        message: one sentence with the figures that led to the answer.
        group: what the check is about, such as the artifact's name.
        rule: the id a failure is reported under; ``group/name`` when empty.
        skipped: the check could not be made; ``message`` says why.
        required: somebody asked for it: skipped, it leaves the verdict open, and is no pass.
        duration_s: how long it took, where known.
        location: the file or layer concerned.
        details: the figures themselves, JSON types.
    """

    name: str
    passed: bool
    message: str
    group: str = ""
    rule: str = ""
    skipped: bool = False
    required: bool = False
    duration_s: float | None = None
    location: Location | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """True when the check was made and answered no."""
        return not self.passed and not self.skipped

    @property
    def unjudged(self) -> bool:
        """True when the check was asked for and could not be made: the verdict cannot be "passed"."""
        return self.skipped and self.required

    @property
    def status(self) -> Literal["passed", "failed", "skipped"]:
        """The answer in one word."""
        return "skipped" if self.skipped else "passed" if self.passed else "failed"

    def to_dict(self) -> dict[str, Any]:
        """The check as JSON types."""
        return {
            "name": self.name,
            "group": self.group,
            "status": self.status,
            "passed": self.passed,
            "required": self.required,
            "message": self.message,
            "location": self.location.to_dict() if self.location else None,
            "details": dict(self.details),
        }


def findings_of(checks: Iterable[Check]) -> list[Finding]:
    """One error per check that failed or was asked for in vain, one note per other skipped one; passed ones find nothing."""
    findings = []
    for check in checks:
        if check.skipped or check.failed:
            rule = check.rule or (f"{check.group}/{check.name}" if check.group else check.name)
            level: Level = "note" if check.skipped and not check.required else "error"
            findings.append(Finding(rule, level, check.message, check.location))
    return findings
