"""Which runs: filters, and the ways to name one."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, fields
from typing import Any

from eamdeploy.base.errors import UsageError, did_you_mean

LATEST = "latest"
_COLUMNS = {
    "device": "device = ?",
    "board": "board = ?",
    "runtime": "runtime = ?",
    "precision": "precision = ?",
    "threads": "threads = ?",
    "provenance": "provenance = ?",
    "verdict": "verdict = ?",
    "commit": "git_commit LIKE ? || '%' ESCAPE '\\'",
    "group": "run_group = ?",
    "since": "measured_at >= ?",
    "until": "measured_at < ?",
}


@dataclass(frozen=True)
class RunFilter:
    """Conditions a run must meet; ``None`` asks for nothing.

    Attributes:
        artifact: file name, or a prefix of the SHA-256.
        commit: prefix of the git commit.
        since, until: ISO 8601, UTC; a date alone is its first moment.
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

    def where(self) -> tuple[str, list[Any]]:
        """The SQL condition and its arguments."""
        parts, arguments = ["1"], list[Any]()
        for item in fields(self):
            value = getattr(self, item.name)
            if value is None:
                continue
            if item.name == "artifact":
                parts.append("(artifact_name = ? OR artifact_sha256 LIKE ? || '%' ESCAPE '\\')")
                arguments += [value, _literal(value)]
            else:
                parts.append(_COLUMNS[item.name])
                arguments.append(_literal(value) if item.name == "commit" else value)
        return " AND ".join(parts), arguments


def resolve(connection: sqlite3.Connection, reference: str) -> str:
    """The id of the run that ``reference`` names.

    A reference is an id, a unique prefix of one, ``latest``, ``latest~N`` (N runs before it), or an artifact's file
    name (its latest run).

    Raises:
        UsageError: when it names no run, or several.
    """
    if reference == LATEST or reference.startswith(f"{LATEST}~"):
        return _nth_latest(connection, reference)
    exact = connection.execute("SELECT id FROM kept WHERE id = ?", (reference,)).fetchone()
    if exact:
        return str(exact[0])
    named = connection.execute(
        "SELECT id FROM kept WHERE artifact_name = ? ORDER BY seq DESC LIMIT 1", (reference,)
    ).fetchone()
    if named:
        return str(named[0])
    found = [
        str(row[0])
        for row in connection.execute(
            "SELECT id FROM kept WHERE id LIKE ? || '%' ESCAPE '\\' ORDER BY seq DESC LIMIT 4", (_literal(reference),)
        )
    ]
    if reference and len(found) == 1:
        return found[0]
    if found and reference:
        raise UsageError(
            f"'{reference}' begins several runs",
            where=", ".join(found),
            hint="give more of the id; see 'eamdeploy history'",
        )
    raise UsageError(
        f"no run is called '{reference}'", hint=f"{_known(connection, reference)}; see 'eamdeploy history'"
    )


def _nth_latest(connection: sqlite3.Connection, reference: str) -> str:
    steps = reference.partition("~")[2] or "0"
    if not steps.isdecimal():
        raise UsageError(f"'{reference}' names no run", hint="write latest, latest~1, latest~2, …")
    row = connection.execute("SELECT id FROM kept ORDER BY seq DESC LIMIT 1 OFFSET ?", (int(steps),)).fetchone()
    if row is None:
        count = connection.execute("SELECT count(*) FROM kept").fetchone()[0]
        raise UsageError(f"'{reference}' names no run", why=f"the store holds {count}")
    return str(row[0])


def _known(connection: sqlite3.Connection, reference: str) -> str:
    recent = connection.execute("SELECT id, artifact_name FROM kept ORDER BY seq DESC LIMIT 50").fetchall()
    names = list(dict.fromkeys([row[0] for row in recent[:3]] + [row[1] for row in recent]))[:8]
    return did_you_mean(reference, names)


def _literal(value: str) -> str:
    """``value`` with LIKE's wildcards taken as themselves."""
    return value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
