"""Ways to name one run: an id, ``latest``, or the artifact that was measured."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from eamdeploy.base.errors import MeasurementError, UsageError, did_you_mean
from eamdeploy.runs.store.places import content_of, place_of
from eamdeploy.runs.store.query import literal

LATEST = "latest"
# what follows the time in an id
SHORT_ID_LENGTH = 8
# by when it was stored, whatever date a run gives itself
LAST_FIRST = "seq DESC"
_LATEST = f"SELECT id, artifact_name FROM kept ORDER BY {LAST_FIRST}"  # noqa: S608  # literals


class _Stored(NamedTuple):
    """One stored run, as far as names go."""

    id: str
    artifact: str
    sha256: str
    group: str | None
    kind: str


def resolve(connection: sqlite3.Connection, reference: str) -> str:
    """The id of the run that ``reference`` names.

    A reference is an id, a unique prefix of one, the short id that lists show (what follows the time), ``latest``,
    ``latest~N`` (N runs before it), an artifact's path (the latest run of the file's content) or an artifact's file name
    (its latest run).

    Raises:
        MeasurementError: when it is a file that was changed since it was measured.
        UsageError: when it names no run, or several.
    """
    if reference == LATEST or reference.startswith(f"{LATEST}~"):
        return _nth_latest(connection, reference)
    if connection.execute("SELECT 1 FROM kept WHERE id = ?", (reference,)).fetchone():
        return reference
    if Path(reference).is_file():
        return _of_file(connection, reference)
    if (named := _of_name(connection, reference)) is not None:
        return named
    return _of_prefix(connection, reference)


def _of_file(connection: sqlite3.Connection, path: str) -> str:
    """The latest run of this file's content: the one measured at this place, where there is one."""
    same = _stored(connection, "artifact_sha256 = ?", content_of(path))
    if same:
        place_runs = [run for run in same if place_of(run.artifact) == place_of(path)]
        return _run_of_last(place_runs or same)
    before = [run for run in _stored(connection, "artifact_name = ?", Path(path).name) if _at(run, path)]
    hint = f"measure it with 'eamdeploy bench {path}'"
    if before:
        why = f"run {before[0].id} is of another content"
        raise MeasurementError("the file was changed since it was measured", where=path, why=why, hint=hint)
    raise UsageError("the file was not measured", where=path, hint=hint)


def _of_name(connection: sqlite3.Connection, name: str) -> str | None:
    """The latest run of an artifact that is not here by that name: by its place, or by a file name that says which."""
    runs = _stored(connection, "artifact_name = ?", Path(name).name)
    if Path(name).name != name:
        runs = [run for run in runs if _at(run, name)]
    if not runs:
        return None
    latest = {place_of(run.artifact): run for run in reversed(runs)}
    if len({run.sha256 for run in latest.values()}) > 1:
        places = ", ".join(sorted(latest))
        raise UsageError(f"'{name}' names several artifacts", where=places, hint="give the path, or the id of a run")
    return _run_of_last(runs)


def _of_prefix(connection: sqlite3.Connection, reference: str) -> str:
    matches = [run.id for run in _stored(connection, "id LIKE ? || '%' ESCAPE '\\'", literal(reference))[:4]]
    if not matches and len(reference) >= SHORT_ID_LENGTH:
        matches = [run.id for run in _stored(connection, "id LIKE '%-' || ? ESCAPE '\\'", literal(reference))[:4]]
    if reference and len(matches) == 1:
        return matches[0]
    if matches and reference:
        hint = "give more of the id; see 'eamdeploy history'"
        raise UsageError(f"'{reference}' begins several runs", where=", ".join(matches), hint=hint)
    hint = f"{_known(connection, reference)}; see 'eamdeploy history'"
    raise UsageError(f"no run is called '{reference}'", hint=hint)


def _run_of_last(runs: Sequence[_Stored]) -> str:
    """The last measurement's run; of what it stored together, one that ran the file, not an estimate beside it."""
    together = [run for run in runs if run.group is not None and run.group == runs[0].group]
    return next((run for run in together if run.kind != "estimated"), runs[0]).id


def _at(run: _Stored, path: str) -> bool:
    return place_of(run.artifact) == place_of(path)


def _stored(connection: sqlite3.Connection, condition: str, value: str) -> list[_Stored]:
    """The runs that meet a condition, the latest first."""
    rows = connection.execute(
        "SELECT id, json_extract(document, '$.artifact'), artifact_sha256, json_extract(document, '$.group'), "  # noqa: S608
        "json_extract(document, '$.provenance.kind') FROM kept "  # literals
        f"WHERE {condition} ORDER BY {LAST_FIRST}",
        (value,),
    )
    return [_Stored(*row) for row in rows]


def _nth_latest(connection: sqlite3.Connection, reference: str) -> str:
    steps = reference.partition("~")[2] or "0"
    if not steps.isdecimal():
        raise UsageError(f"'{reference}' names no run", hint="write latest, latest~1, latest~2, …")
    row = connection.execute(_LATEST + " LIMIT 1 OFFSET ?", (int(steps),)).fetchone()
    if row is None:
        count = connection.execute("SELECT count(*) FROM kept").fetchone()[0]
        raise UsageError(f"'{reference}' names no run", why=f"the store holds {count}")
    return str(row[0])


def _known(connection: sqlite3.Connection, reference: str) -> str:
    recent = connection.execute(_LATEST + " LIMIT 50").fetchall()
    names = list(dict.fromkeys([row[0] for row in recent[:3]] + [row[1] for row in recent]))[:8]
    return did_you_mean(reference, names)
