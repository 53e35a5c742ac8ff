"""Which runs: the conditions that a selection makes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from eamdeploy.base.errors import UsageError
from eamdeploy.runs.store.dates import moment

_COLUMNS = {
    # the name of a profile, or of one of the user's boards
    "device": "? IN (device, board)",
    "board": "board = ?",
    "runtime": "runtime = ?",
    "precision": "precision = ?",
    "threads": "threads = ?",
    "provenance": "provenance = ?",
    "verdict": "verdict = ?",
    "commit": "git_commit LIKE ? || '%' ESCAPE '\\'",
    "group": "run_group = ?",
    # moments, not text: a run that was stored with another offset is where it belongs
    "since": "julianday(measured_at) >= julianday(?)",
    "until": "julianday(measured_at) < julianday(?)",
}


@dataclass(frozen=True)
class RunFilter:
    """Conditions a run must meet; ``None`` asks for nothing.

    Attributes:
        artifact: file name, or a prefix of the SHA-256.
        commit: prefix of the git commit.
        since, until: a date or a time (:func:`eamdeploy.runs.store.dates.moment`); a date alone is its first moment.
    """

    artifact: str | None = None
    device: str | None = None
    board: str | None = None
    runtime: str | None = None
    precision: str | None = None
    threads: int | None = None
    provenance: str | None = None
    verdict: str | None = None
    commit: str | None = None
    group: str | None = None
    since: str | None = None
    until: str | None = None

    def __post_init__(self) -> None:
        """Read the dates.

        Raises:
            UsageError: when one is none, or the end lies before the beginning.
        """
        for name in ("since", "until"):
            text = getattr(self, name)
            if text is not None:
                object.__setattr__(self, name, moment(text).isoformat(timespec="milliseconds"))
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise UsageError("the selection ends before it begins", why=f"{self.since} to {self.until}")

    @property
    def asks(self) -> bool:
        """Whether anything is asked for at all."""
        return any(getattr(self, item.name) is not None for item in fields(self))

    @property
    def words(self) -> str:
        """What is asked for, in words."""
        criteria = {item.name: getattr(self, item.name) for item in fields(self)}
        return ", ".join(f"{name} {value}" for name, value in criteria.items() if value is not None)

    def where(self) -> tuple[str, list[Any]]:
        """The SQL condition and its arguments."""
        parts, arguments = ["1"], list[Any]()
        for item in fields(self):
            value = getattr(self, item.name)
            if value is None:
                continue
            if item.name == "artifact":
                parts.append("(artifact_name = ? OR artifact_sha256 LIKE ? || '%' ESCAPE '\\')")
                arguments += [value, literal(value)]
            else:
                parts.append(_COLUMNS[item.name])
                arguments.append(literal(value) if item.name == "commit" else value)
        return " AND ".join(parts), arguments


def literal(value: str) -> str:
    """``value`` with LIKE's wildcards taken as themselves."""
    return value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
