"""One remark of the doctor's."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["ok", "note", "warning", "problem"]


@dataclass(frozen=True)
class Diagnosis:
    """What was looked at, what was seen, and what it means.

    Attributes:
        check: what was looked at.
        level: ``problem`` stops a run, ``warning`` spoils its figures or may stop it, ``note`` is worth knowing.
        seen: the board's own answer.
        meaning: why it matters here.
        hint: what to do about it.
    """

    check: str
    level: Level
    seen: str
    meaning: str = ""
    hint: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)
