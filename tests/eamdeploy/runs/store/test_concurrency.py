"""Many writers at once, and writers killed at any moment."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from eamdeploy.base.results import Latency, Run
from eamdeploy.runs.store import open_store
from eamdeploy.runs.store.connection import check_ours
from eamdeploy.runs.store.schema import SCHEMA_VERSION, migrate

FORK = multiprocessing.get_context("fork")


def _write_many(path: Path, make_run: Callable[..., Run], writer: int, count: int) -> None:
    store = open_store(path)
    for index in range(count):
        store.append(make_run(id=f"w{writer:03d}-{index:03d}"))


@pytest.mark.slow
def test_a_hundred_writers_lose_nothing(tmp_path: Path, make_run: Callable[..., Run]) -> None:
    path = tmp_path / "runs.db"
    workers = [FORK.Process(target=_write_many, args=(path, make_run, writer, 100)) for writer in range(100)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 100
    expected = {f"w{writer:03d}-{index:03d}" for writer in range(100) for index in range(100)}
    assert {run.id for run in open_store(path).runs()} == expected
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("SELECT count(*), sum(length(latency_ms)) FROM samples").fetchone() == (
        10_000,
        10_000 * 320,
    )
    connection.close()


def test_writers_race_to_make_the_file(tmp_path: Path, make_run: Callable[..., Run]) -> None:
    path = tmp_path / "new" / "runs.db"
    workers = [FORK.Process(target=_write_many, args=(path, make_run, writer, 1)) for writer in range(20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 20
    assert open_store(path).count() == 20


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_a_store_that_another_process_makes_at_this_moment_is_taken_for_a_store(tmp_path: Path, moment: int) -> None:
    path = tmp_path / "runs.db"
    path.touch()
    statements: list[str] = []

    def meanwhile(statement: str) -> None:
        statements.append(statement)
        if len(statements) == moment:
            other = sqlite3.connect(path, timeout=0, isolation_level=None)
            # it has to wait until the reading is done
            with contextlib.closing(other), contextlib.suppress(sqlite3.OperationalError):
                migrate(other)

    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.set_trace_callback(meanwhile)
        check_ours(connection, path)
    assert len(statements) >= moment


def _write_forever(path: Path, make_run: Callable[..., Run], acknowledged: int) -> None:
    store = open_store(path)
    samples = tuple(1.0 + value for value in range(20_000))
    while True:
        run = store.append(make_run(latency_ms=Latency(1.0, samples=samples)))
        os.write(acknowledged, f"{run.id}\n".encode())


def test_killed_in_mid_write(tmp_path: Path, make_run: Callable[..., Run]) -> None:
    path = tmp_path / "runs.db"
    moments = random.Random(7)
    run_ids: list[str] = []
    for _ in range(8):
        receive, send = os.pipe()
        worker = FORK.Process(target=_write_forever, args=(path, make_run, send))
        worker.start()
        os.close(send)
        head = os.read(receive, 1 << 16)
        time.sleep(moments.uniform(0.0, 0.2))
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        while block := os.read(receive, 1 << 16):
            head += block
        os.close(receive)
        run_ids += head.decode().split("\n")[:-1]
        runs = open_store(path).runs(samples=True)
        assert all(run.latency_ms is not None and len(run.latency_ms.samples) == 20_000 for run in runs)
        assert all(len(run.conditions.samples) == 2 for run in runs)
        assert set(run_ids) <= {run.id for run in runs}
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("SELECT (SELECT count(*) FROM runs) - (SELECT count(*) FROM samples)").fetchone() == (0,)
    connection.close()


def test_killed_while_the_file_is_made(tmp_path: Path, make_run: Callable[..., Run]) -> None:
    moments = random.Random(3)
    for attempt in range(15):
        path = tmp_path / f"{attempt}.db"
        worker = FORK.Process(target=_write_many, args=(path, make_run, 0, 1))
        worker.start()
        time.sleep(moments.uniform(0.0, 0.02))
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        open_store(path).append(make_run(id="after"))
        assert open_store(path).get("after").id == "after"
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        connection.close()
