"""One remark of the doctor's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["ok", "note", "warning", "problem"]


@dataclass(frozen=True)
class Diagnosis:
    """What was looked at, what was seen, and what it means.

    Attributes:
        check: what was looked at.
        level: ``problem`` stops a run, ``warning`` spoils its figures or may stop it, ``note`` is worth knowing.
        observation: the board's own answer; ``seen`` in documents.
        meaning: why it matters here.
        hint: what to do about it.
    """

    check: str
    level: Level
    observation: str
    meaning: str = ""
    hint: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "check": self.check,
            "level": self.level,
            "seen": self.observation,
            "meaning": self.meaning,
            "hint": self.hint,
        }
