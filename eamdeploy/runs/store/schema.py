"""The tables of the store, as a list of migrations: the schema's version is how many of them a file has seen.

Append-only is enforced by the database itself: triggers refuse every UPDATE and DELETE of what was measured. Samples
and sensor readings lie beside their run in the same transaction, so that a run is there with all of them or not at all.
"""

from __future__ import annotations

import sqlite3

# "eamd": tells our file from any other program's SQLite file
APPLICATION_ID = 0x65616D64

_TABLES = """
CREATE TABLE artifacts (
    sha256   TEXT PRIMARY KEY,
    name     TEXT NOT NULL,
    format   TEXT NOT NULL,
    bytes    INTEGER NOT NULL,
    manifest TEXT
);
CREATE TABLE runs (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    stored_at       TEXT NOT NULL,
    measured_at     TEXT NOT NULL,
    device          TEXT NOT NULL,
    board           TEXT,
    runtime         TEXT NOT NULL,
    threads         INTEGER NOT NULL,
    precision       TEXT NOT NULL,
    provenance      TEXT NOT NULL,
    verdict         TEXT NOT NULL,
    artifact_name   TEXT NOT NULL,
    artifact_sha256 TEXT NOT NULL REFERENCES artifacts (sha256),
    git_commit      TEXT,
    run_group       TEXT,
    p50_ms          REAL,
    top1            REAL,
    document        TEXT NOT NULL
);
CREATE TABLE samples (
    run_id     TEXT PRIMARY KEY REFERENCES runs (id),
    latency_ms BLOB NOT NULL,
    block      BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE conditions (
    run_id   TEXT NOT NULL REFERENCES runs (id),
    position INTEGER NOT NULL,
    reading  TEXT NOT NULL,
    PRIMARY KEY (run_id, position)
) WITHOUT ROWID;
"""

_APPEND_ONLY = "".join(
    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;\n"
    for table in ("runs", "samples", "conditions")
    for verb in ("UPDATE", "DELETE")
)

# the questions that history, compare and report ask of a long history
_INDEXES = """
CREATE INDEX runs_by_artifact ON runs (artifact_sha256, device, runtime);
CREATE INDEX runs_by_name ON runs (artifact_name, seq);
CREATE INDEX runs_by_time ON runs (measured_at);
CREATE INDEX runs_by_group ON runs (run_group) WHERE run_group IS NOT NULL;
"""

# a run that cannot be read stays where it is, and is passed over by everything that reads `kept`
_QUARANTINE = """
CREATE TABLE quarantine (
    run_id TEXT PRIMARY KEY REFERENCES runs (id),
    why    TEXT NOT NULL,
    at     TEXT NOT NULL
) WITHOUT ROWID;
CREATE VIEW kept AS SELECT * FROM runs WHERE id NOT IN (SELECT run_id FROM quarantine);
"""

MIGRATIONS: tuple[str, ...] = (_TABLES + _APPEND_ONLY, _INDEXES, _QUARANTINE)
SCHEMA_VERSION = len(MIGRATIONS)


def version_of(connection: sqlite3.Connection) -> int:
    """How many migrations the file has seen; 0 for a new one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to :data:`SCHEMA_VERSION` in one transaction: killed half-way, it is what it was."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        # asked again inside the transaction: another process may have been first
        for script in MIGRATIONS[version_of(connection) :]:
            for statement in _statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    """The statements of a script, a trigger's body kept whole; ``executescript`` would commit between them."""
    statements, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            statements.append(current)
            current = ""
    return statements
