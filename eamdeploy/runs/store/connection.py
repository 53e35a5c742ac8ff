"""Opening the store's file: created, migrated or refused, and every SQLite failure said in one sentence."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock
from filelock import Timeout as LockTimeout

from eamdeploy.base.errors import StoreError
from eamdeploy.base.files import private_folder
from eamdeploy.runs.store.schema import APPLICATION_ID, SCHEMA_VERSION, migrate, version_of

# a hundred writers queue for one lock; a bench that took minutes can wait for its turn
BUSY_TIMEOUT_S = 120.0

_HINTS = {
    "SQLITE_FULL": ("the disk is full", "free some space and try again; everything stored before is still there"),
    "SQLITE_READONLY": ("it is write-protected", "change its permissions or name another with `store`"),
    "SQLITE_CANTOPEN": ("it cannot be opened there", "check the folder's permissions or name another with `store`"),
    "SQLITE_NOTADB": ("it is not an SQLite file", "name another with `store`, or move this one away"),
    "SQLITE_CORRUPT": ("it is damaged", "move it away and import your last 'history export'; nothing was changed"),
    "SQLITE_BUSY": ("another process holds it", "try again when the other one is done"),
    "SQLITE_IOERR": ("the disk refused", "check the disk; everything stored before is still there"),
}


@contextlib.contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection inside one write transaction: committed at the end, rolled back on any error.

    Raises:
        StoreError: when the file cannot be opened or written, or is not ours to write.
    """
    _refuse_folder(path)
    with _explained(path, "cannot write to the store"):
        try:
            private_folder(path.parent)
        except OSError as error:
            hint = "name another with `store`"
            raise StoreError(
                "cannot make the store's folder", where=path.parent, why=error.strerror, hint=hint
            ) from error
        # what was measured, where and by whom is its user's; SQLite gives the files beside it the same rights
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with contextlib.closing(_connect(path)) as connection:
            _prepare(connection, path)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write. It works in a read-only folder too, and reads a file of an older version.

    Raises:
        StoreError: when there is no such file or it cannot be read.
    """
    if not path.exists():
        hint = "'eamdeploy bench' makes it with the first run, or name another with `store`"
        raise StoreError("there is no store yet", where=path, hint=hint)
    _refuse_folder(path)
    with _explained(path, "cannot read the store"), _read_only(path) as connection:
        check_ours(connection, path)
        if version_of(connection) == SCHEMA_VERSION:
            yield connection
            return
        # of an older version (or empty), and perhaps on a read-only disk: migrated in memory, the file left as it is
        with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
            connection.backup(copy)
            migrate(copy)
            yield copy


def _refuse_folder(path: Path) -> None:
    if path.is_dir():
        raise StoreError("the store is a file, and this is a folder", where=path, hint="name a file with `store`")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


@contextlib.contextmanager
def _read_only(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        connection = _open_read_only(path)
    except sqlite3.OperationalError:
        # a write-ahead log needs a shared-memory file beside it, which a read-only folder does not take: read a copy
        if os.access(path.parent, os.W_OK) or not os.access(path, os.R_OK):
            raise
        with tempfile.TemporaryDirectory(prefix="eamdeploy-store-") as folder:
            copy = Path(folder) / "runs.db"
            for suffix in ("", "-wal"):
                if (part := Path(f"{path}{suffix}")).exists():
                    shutil.copyfile(part, f"{copy}{suffix}")
            with contextlib.closing(_open_read_only(copy)) as connection:
                yield connection
        return
    with contextlib.closing(connection):
        yield connection


def _open_read_only(path: Path) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    try:
        version_of(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    check_ours(connection, path)
    if version_of(connection) == SCHEMA_VERSION:
        connection.execute("PRAGMA synchronous = FULL")
        return
    try:
        # switching to the write-ahead log does not honour the busy timeout: one process at a time does it
        with FileLock(f"{path}.lock", timeout=BUSY_TIMEOUT_S):
            connection.execute("PRAGMA journal_mode = WAL")
            migrate(connection)
    except LockTimeout as error:
        raise StoreError("cannot prepare the store", where=path, why="another process holds its lock") from error
    except OSError as error:
        raise StoreError("cannot write to the store", where=path, why=error.strerror) from error
    connection.execute("PRAGMA synchronous = FULL")


def check_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse another program's file, and a newer version's.

    Raises:
        StoreError: it is one.
    """
    # one statement, one state of the file: another process may be making the store at this moment
    version, owner, tables = connection.execute(
        "SELECT (SELECT user_version FROM pragma_user_version), (SELECT application_id FROM pragma_application_id),"
        " (SELECT count(*) FROM sqlite_master)"
    ).fetchone()
    if owner != APPLICATION_ID and (owner or version or tables):
        raise StoreError(
            "this is another program's SQLite file", where=path, hint="name the store with `store`; nothing was changed"
        )
    if version > SCHEMA_VERSION:
        raise StoreError(
            "the store was written by a newer eamdeploy",
            where=path,
            why=f"its schema is {version}, this one knows up to {SCHEMA_VERSION}",
            hint="upgrade eamdeploy, or name another store with `store`; nothing was changed",
        )


@contextlib.contextmanager
def _explained(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        for prefix, (why, hint) in _HINTS.items():
            if name.startswith(prefix):
                raise StoreError(what, where=path, why=why, hint=hint) from error
        raise StoreError(what, where=path, why=error) from error
