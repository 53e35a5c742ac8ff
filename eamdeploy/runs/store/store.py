"""The store of runs: one SQLite file, append-only, for many writers at once."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eamdeploy.base.decoding import TimedRun, decode_manifest
from eamdeploy.base.errors import EamdeployError, StoreError, UsageError
from eamdeploy.base.results import Run
from eamdeploy.runs.store import rows
from eamdeploy.runs.store.connection import reading, writing
from eamdeploy.runs.store.provenance import complete
from eamdeploy.runs.store.query import RunFilter
from eamdeploy.runs.store.reference import resolve
from eamdeploy.runs.store.rescue import rescue

STORE_VARIABLE = "EAMDEPLOY_STORE"


def default_path() -> Path:
    """``EAMDEPLOY_STORE``, else ``runs.db`` in the user's state folder."""
    named = os.environ.get(STORE_VARIABLE)
    if named:
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_state_dir("eamdeploy", appauthor=False)) / "runs.db"


def open_store(path: Path | str | None = None) -> Store:
    """The store at ``path``, else at :func:`default_path`; the file is made by the first run that is appended."""
    return Store(Path(path).expanduser() if path else default_path())


class Store:
    """Runs in one file. Every call opens the file anew, so a store may be shared by threads and forked processes.

    Attributes:
        unreadable: rows that were passed over because they do not decode, by id, with the reason.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.unreadable: dict[str, str] = {}

    def append(self, run: Run, *, manifest: dict[str, Any] | None = None) -> Run:
        """Add one run, durable when this returns, and the artifact's manifest where there is one.

        Args:
            run: the run; a git commit that is not given is filled in from the working folder.
            manifest: the artifact's; left out, it is looked for beside the artifact.

        Returns:
            The run as stored.

        Raises:
            StoreError: when it cannot be stored; the run is then kept in a file of its own, which the message names.
        """
        return self.append_all([(run, manifest)])[0]

    def append_all(self, entries: Iterable[tuple[Run, dict[str, Any] | None]]) -> list[Run]:
        """Add several runs in one transaction: all of them or none. As :meth:`append` otherwise."""
        ready = [complete(run, manifest) for run, manifest in entries]
        try:
            self._insert(ready, skip_known=False)
        except EamdeployError as error:
            rescue(error, ready)
            raise
        except Exception as error:  # whatever it is: minutes of measuring must not be lost with it
            failure = StoreError("the run could not be stored", where=self.path, why=f"{type(error).__name__}: {error}")
            rescue(failure, ready)
            raise failure from error
        return [run for run, _ in ready]

    def append_imported(self, entries: Iterable[tuple[Run, dict[str, Any] | None]]) -> int:
        """Add runs as another store had them, nothing filled in, all in one transaction; those already here are left.

        Returns:
            How many were added.
        """
        ready = ((run, None if manifest is None else json.dumps(manifest)) for run, manifest in entries)
        return self._insert(ready, skip_known=True)

    def _insert(self, entries: Iterable[tuple[Run, str | None]], *, skip_known: bool) -> int:
        stored_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        added = 0
        with writing(self.path) as connection:
            for run, manifest in entries:
                if connection.execute("SELECT 1 FROM runs WHERE id = ?", (run.id,)).fetchone():
                    if skip_known:
                        continue
                    raise UsageError("a run of this id is stored already", where=run.id)
                rows.insert(connection, run, stored_at, manifest)
                added += 1
        return added

    def runs(
        self,
        where: RunFilter | None = None,
        *,
        limit: int | None = None,
        samples: bool = False,
        oldest_first: bool = False,
    ) -> list[Run]:
        """The runs that meet ``where``, those that arrived last first; their samples are read only where asked for.

        The order is that of arrival in this store: what a run says of its own date decides nothing. A row that cannot
        be read is passed over and noted in :attr:`unreadable`.

        Raises:
            StoreError: when there is no store or it cannot be read.
        """
        return list(self.iterate(where, limit=limit, samples=samples, oldest_first=oldest_first))

    def iterate(
        self,
        where: RunFilter | None = None,
        *,
        limit: int | None = None,
        samples: bool = False,
        oldest_first: bool = False,
    ) -> Iterator[Run]:
        """As :meth:`runs`, one at a time: a history larger than the memory can be gone through."""
        count = 0
        with reading(self.path) as connection:
            for run_id, document in _selected(connection, where, oldest_first=oldest_first):
                if limit is not None and count >= limit:
                    return
                try:
                    run = rows.load(connection, run_id, document) if samples else rows.load_light(run_id, document)
                except StoreError as error:
                    self._pass_over(run_id, error)
                    continue
                count += 1
                yield run

    def timed_runs(self, where: RunFilter | None = None) -> Iterator[TimedRun]:
        """As :meth:`iterate`, of each run only what a latency model is fitted to: much faster over a long history."""
        with reading(self.path) as connection:
            for run_id, document in _selected(connection, where, oldest_first=False):
                try:
                    yield rows.load_timed(run_id, document)
                except StoreError as error:
                    self._pass_over(run_id, error)

    def _pass_over(self, run_id: object, error: StoreError) -> None:
        self.unreadable[str(run_id)] = f"{error.where}: {error.why}"

    def quarantine(self) -> dict[str, str]:
        """Set aside every run that cannot be read: it stays in the file, and nothing reads it again.

        Returns:
            The ids, with the reasons.

        Raises:
            StoreError: when there is no store, or it cannot be written.
        """
        self.unreadable = {}
        for _ in self.iterate(samples=True):
            pass
        at = datetime.now(UTC).isoformat(timespec="seconds")
        with writing(self.path) as connection:
            for run_id, why in self.unreadable.items():
                connection.execute(
                    "INSERT OR IGNORE INTO quarantine (run_id, why, at) VALUES (?, ?, ?)", (run_id, why, at)
                )
        return self.unreadable

    def select(
        self, where: RunFilter, *, limit: int | None = None, samples: bool = False, oldest_first: bool = False
    ) -> list[Run]:
        """As :meth:`runs`, and an empty selection is said to be one: nothing is made from nothing.

        Raises:
            StoreError: when there is no store or it cannot be read.
            UsageError: when something is asked for and no run meets it.
        """
        runs = self.runs(where, limit=limit, samples=samples, oldest_first=oldest_first)
        if not runs and where.asks:
            hint = "see 'eamdeploy history' without it"
            raise UsageError("no stored run meets the selection", where=self.path, why=where.words, hint=hint)
        return runs

    def get(self, reference: str) -> Run:
        """The one run that ``reference`` names (:func:`eamdeploy.runs.store.reference.resolve`), with its samples.

        Raises:
            StoreError: when there is no store or it cannot be read.
            UsageError: when it names no run, or several.
        """
        with reading(self.path) as connection:
            run_id = resolve(connection, reference)
            document = connection.execute("SELECT document FROM runs WHERE id = ?", (run_id,)).fetchone()[0]
            return rows.load(connection, run_id, document)

    def count(self) -> int:
        """How many runs there are; 0 where there is no store yet."""
        if not self.path.exists():
            return 0
        with reading(self.path) as connection:
            return int(connection.execute("SELECT count(*) FROM kept").fetchone()[0])

    def manifests(self) -> dict[str, dict[str, Any]]:
        """The manifests kept with the runs, by the artifact's SHA-256."""
        with reading(self.path) as connection:
            rows = connection.execute("SELECT sha256, manifest FROM artifacts WHERE manifest IS NOT NULL").fetchall()
        documents = {}
        for sha256, text in rows:
            # a manifest that does not decode explains nothing; the run is still there
            with contextlib.suppress(UsageError):
                documents[str(sha256)] = decode_manifest(str(text), where=sha256)
        return documents

    def known_ids(self) -> set[str]:
        """The ids of all runs."""
        if not self.path.exists():
            return set()
        with reading(self.path) as connection:
            return {str(row[0]) for row in connection.execute("SELECT id FROM runs")}


def _selected(
    connection: sqlite3.Connection, where: RunFilter | None, *, oldest_first: bool
) -> Iterator[tuple[str, object]]:
    """Id and document of each run that meets ``where`` and is not set aside."""
    condition, arguments = (where or RunFilter()).where()
    order = "ASC" if oldest_first else "DESC"
    query = f"SELECT id, document FROM kept WHERE {condition} ORDER BY seq {order}"  # noqa: S608  # literals
    yield from connection.execute(query, arguments)
