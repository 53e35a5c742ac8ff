"""Files of other versions and other programs, damaged files, full and read-only disks: one sentence, nothing lost."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eamdeploy.base.errors import StoreError
from eamdeploy.base.results import Latency, Run
from eamdeploy.runs.store import import_runs, open_store
from eamdeploy.runs.store.schema import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION, migrate


@pytest.fixture
def filled(tmp_path: Path, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    path = tmp_path / "store" / "runs.db"
    open_store(path).append_all([(make_run(id=f"run-{index}"), None) for index in range(30)])
    return path


def _refused(path: Path, run: Run, words: str) -> StoreError:
    """Reading and writing are both refused in one sentence, and the file is not touched."""
    before = path.read_bytes()
    with pytest.raises(StoreError, match=words) as caught:
        open_store(path).runs()
    with pytest.raises(StoreError, match=words) as written:
        open_store(path).append(run)
    assert path.read_bytes() == before
    assert "\n" not in str(caught.value)
    assert written.value.hint is not None
    assert "the run is kept in" in written.value.hint
    return written.value


def test_a_newer_store_is_left_alone(filled: Path, make_run: Callable[..., Run]) -> None:
    with sqlite3.connect(filled) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    _refused(filled, make_run(), "written by a newer eamdeploy .*its schema is 99.*upgrade eamdeploy")


def test_another_programs_file_is_left_alone(tmp_path: Path, make_run: Callable[..., Run], filled: Path) -> None:
    path = tmp_path / "firefox.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    _refused(path, make_run(), "another program's SQLite file")


@pytest.mark.parametrize("content", [b"not a database at all " * 500, os.urandom(8192)])
def test_a_file_that_is_no_database(filled: Path, make_run: Callable[..., Run], content: bytes) -> None:
    filled.write_bytes(content)
    _refused(filled, make_run(), "not an SQLite file")


def test_a_damaged_file(filled: Path, make_run: Callable[..., Run]) -> None:
    content = bytearray(filled.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    filled.write_bytes(content)
    error = _refused(filled, make_run(), "it is damaged")
    assert "history export" in str(error)


def test_a_file_cut_short(filled: Path, make_run: Callable[..., Run]) -> None:
    content = filled.read_bytes()
    filled.write_bytes(content[: len(content) // 2])
    with pytest.raises(StoreError, match="it is damaged"):
        open_store(filled).runs()


def test_the_rescued_run_can_be_imported(filled: Path, tmp_path: Path, make_run: Callable[..., Run]) -> None:
    run = make_run(id="costly")
    (tmp_path / "broken.db").write_bytes(b"x" * 100)
    with pytest.raises(StoreError):
        open_store(tmp_path / "broken.db").append(run)
    assert import_runs(open_store(filled), "eamdeploy-run-costly.jsonl").added == 1
    assert open_store(filled).get("costly") == run


def test_a_full_disk_loses_nothing(filled: Path, tmp_path: Path, make_run: Callable[..., Run]) -> None:
    with _small_disk(tmp_path / "small") as disk:
        path = disk / "runs.db"
        shutil.copyfile(filled, path)
        store = open_store(path)
        big = Latency(1.0, samples=tuple(float(value) for value in range(1, 60_001)))
        stored = 30
        error = None
        while error is None and stored < 130:
            try:
                store.append(make_run(id=f"big-{stored}", latency_ms=big))
                stored += 1
            except StoreError as full:
                error = full
        assert error is not None
        assert "the disk is full" in str(error)
        assert store.count() == stored
        assert f"big-{stored}.jsonl" in str(error)
        assert import_runs(open_store(filled), f"eamdeploy-run-big-{stored}.jsonl").added == 1


class _small_disk:
    """A file system of 2 MiB, mounted for a test."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Path:
        self.path.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(self.path)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("mounting a small file system needs root")
        return self.path

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", str(self.path)], check=True)


def _as_nobody(path: Path, run: Run, answers: Any) -> None:
    """In a process of its own, become a user who may read the folder and no more."""
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    os.chdir("/")
    store = open_store(path)
    try:
        answers.put((len(store.runs(samples=True)), store.get("run-7").id))
        store.append(run)
        answers.put("stored")
    except StoreError as error:
        answers.put(str(error))


@pytest.fixture
def open_to_all(filled: Path) -> Iterator[Path]:
    """The store's folder, readable by everybody and writable by nobody else."""
    closed = [(folder, folder.stat().st_mode) for folder in filled.parents if folder.stat().st_mode & 0o005 != 0o005]
    for folder, mode in closed:
        folder.chmod((mode & 0o7777) | 0o055)
    filled.chmod(0o644)  # a store is made private; its user may share it
    yield filled
    for folder, mode in closed:
        folder.chmod(mode & 0o7777)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become the user nobody")
@pytest.mark.parametrize("unmerged", [False, True])
def test_a_read_only_folder(open_to_all: Path, make_run: Callable[..., Run], unmerged: bool) -> None:
    path, expected = open_to_all, 30
    if unmerged:
        # as a writer killed with -9 leaves it: the last run is in the log beside the file only
        connection = sqlite3.connect(path)
        connection.execute("SELECT count(*) FROM runs").fetchone()
        open_store(path).append(make_run())
        expected += 1
        shutil.copytree(path.parent, path.parent / "keep")
        connection.close()
        path = path.parent / "keep" / "runs.db"
        path.with_name("runs.db-shm").unlink()
        assert path.with_name("runs.db-wal").stat().st_size > 0
    before = path.read_bytes()
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    process = context.Process(target=_as_nobody, args=(path, make_run(), answers))
    process.start()
    assert answers.get(timeout=30) == (expected, "run-7")
    message = answers.get(timeout=30)
    process.join()
    assert message.startswith("cannot write to the store")
    assert "write-protected" in message or "cannot be opened" in message
    assert path.read_bytes() == before


def test_an_older_store_is_migrated_with_its_runs(tmp_path: Path, filled: Path, make_run: Callable[..., Run]) -> None:
    old = tmp_path / "old.db"
    _make_version_1(old, filled)
    before = old.read_bytes()
    assert open_store(old).count() == 30
    assert old.read_bytes() == before, "reading must not migrate the file"
    open_store(old).append(make_run(id="new"))
    assert open_store(old).count() == 31
    assert open_store(old).get("run-3") == open_store(filled).get("run-3")
    connection = sqlite3.connect(old)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'runs_by_time'").fetchone() == (1,)
    connection.close()


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path, filled: Path) -> None:
    old = tmp_path / "old.db"
    _make_version_1(old, filled)
    connection = sqlite3.connect(old, isolation_level=None)
    connection.execute("CREATE INDEX runs_by_group ON runs (id)")  # collides with the last statement of the migration
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        migrate(connection)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'runs_by_time'").fetchone() == (0,)
    connection.close()


def _make_version_1(path: Path, source: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(MIGRATIONS[0])
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    connection.execute("ATTACH ? AS source", (str(source),))
    for table in ("artifacts", "runs", "samples", "conditions"):
        connection.execute(f"INSERT INTO {table} SELECT * FROM source.{table}")
    connection.commit()
    connection.close()
