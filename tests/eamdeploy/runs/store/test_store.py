"""What goes in comes back, whole; nothing that was stored can be changed."""

from __future__ import annotations

import json
import math
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from eamdeploy.base.errors import StoreError, UsageError
from eamdeploy.base.results import Latency, Run
from eamdeploy.runs.store import RunFilter, open_store


def test_a_run_comes_back_as_it_was(tmp_path: Path, make_run: Callable[..., Run]) -> None:
    run = make_run(options={"spinning": False, "affinity": [0, 1]}, per_layer=({"name": "conv", "us": 12.5},))
    store = open_store(tmp_path / "deep" / "runs.db")
    assert store.append(run) == run
    assert store.get(run.id) == run
    (light,) = store.runs()
    assert light.latency_ms is not None
    assert light.latency_ms.samples == ()
    assert store.runs(samples=True) == [run]


def test_the_environment_names_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_run: Callable[..., Run]
) -> None:
    monkeypatch.setenv("EAMDEPLOY_STORE", str(tmp_path / "mine.db"))
    open_store().append(make_run())
    assert open_store(tmp_path / "mine.db").count() == 1


def test_nothing_measured_can_be_changed(tmp_path: Path, make_run: Callable[..., Run]) -> None:
    path = tmp_path / "runs.db"
    open_store(path).append(make_run())
    connection = sqlite3.connect(path)
    for table in ("runs", "samples", "conditions"):
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET rowid = 9" if table == "runs" else None):
            if statement:
                with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                    connection.execute(statement)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute("UPDATE samples SET latency_ms = x''")
    connection.close()


def test_an_id_is_stored_once(tmp_path: Path, make_run: Callable[..., Run]) -> None:
    store = open_store(tmp_path / "runs.db")
    run = store.append(make_run())
    with pytest.raises(UsageError, match="stored already"):
        store.append(run)
    assert store.count() == 1


def test_several_runs_are_stored_together_or_not_at_all(tmp_path: Path, make_run: Callable[..., Run]) -> None:
    store = open_store(tmp_path / "runs.db")
    first = make_run()
    with pytest.raises(UsageError, match="stored already"):
        store.append_all([(first, None), (make_run(), None), (first, None)])
    assert store.count() == 0


def test_what_is_not_a_number_is_absent(tmp_path: Path, make_run: Callable[..., Run]) -> None:
    store = open_store(tmp_path / "runs.db")
    run = store.append(make_run(energy_mj=math.nan, latency_ms=Latency(1.0, mean=math.nan, samples=(1.0, 2.0))))
    stored_run = store.get(run.id)
    assert stored_run.energy_mj is None
    assert stored_run.latency_ms == Latency(1.0, samples=(1.0, 2.0))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (RunFilter(), [0, 1, 2]),
        (RunFilter(device="pi5"), [1]),
        (RunFilter(artifact="b.onnx"), [1, 2]),
        (RunFilter(artifact="cd"), [2]),
        (RunFilter(artifact="c_"), []),
        (RunFilter(precision="int8", runtime="litert"), [2]),
        (RunFilter(commit="dead"), [1]),
        (RunFilter(verdict="invalid"), []),
        (RunFilter(threads=4, provenance="measured", device="pi4"), [0, 2]),
        (RunFilter(since="2026-11-23"), []),
        (RunFilter(until="2026-11-23", since="2026-11-22"), [0, 1, 2]),
    ],
)
def test_filters(tmp_path: Path, make_run: Callable[..., Run], where: RunFilter, expected: list[int]) -> None:
    store = open_store(tmp_path / "runs.db")
    runs = [
        make_run(),
        make_run(device="pi5", artifact="x/b.onnx", git_commit="deadbeef"),
        make_run(artifact="b.onnx", artifact_sha256="cd" * 32, precision="int8", runtime="litert"),
    ]
    store.append_all([(run, None) for run in runs])
    assert [run.id for run in store.runs(where, oldest_first=True)] == [runs[index].id for index in expected]


def test_ways_to_name_a_run(tmp_path: Path, make_run: Callable[..., Run]) -> None:
    store = open_store(tmp_path / "runs.db")
    for run_id in ("2026-aa1", "2026-aa2", "2026-b_1"):
        store.append(make_run(id=run_id, artifact=f"{run_id[-2:]}.onnx"))
    assert store.get("latest").id == "2026-b_1"
    assert store.get("latest~2").id == "2026-aa1"
    assert store.get("2026-b").id == "2026-b_1"
    assert store.get("a2.onnx").id == "2026-aa2"
    for wrong, words in [
        ("2026-a", "begins several runs"),
        ("latest~3", "the store holds 3"),
        ("latest~x", "latest~1"),
        ("2026-c", "did you mean '2026-"),
        ("", "no run is called"),
        ("%", "no run is called"),
    ]:
        with pytest.raises(UsageError, match=words):
            store.get(wrong)


def test_the_commit_and_the_manifest_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_run: Callable[..., Run]
) -> None:
    monkeypatch.chdir(tmp_path)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run([*git, "init", "-q"], check=True)
    (tmp_path / "net-int8.onnx").write_bytes(b"x")
    (tmp_path / "net.manifest.json").write_text(json.dumps({"artifacts": [{"file": "net-int8.onnx"}], "plan": []}))
    subprocess.run([*git, "add", "net-int8.onnx"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "x"], check=True)
    store = open_store(tmp_path / "runs.db")
    run = store.append(make_run(git_commit=None, artifact="net-int8.onnx"))
    assert run.git_commit is not None
    assert len(run.git_commit) == 40
    assert store.manifests() == {run.artifact_sha256: {"artifacts": [{"file": "net-int8.onnx"}], "plan": []}}
    (tmp_path / "net-int8.onnx").write_bytes(b"y")
    assert store.append(make_run(git_commit=None)).git_commit == f"{run.git_commit}-dirty"


def test_no_store_yet_is_one_sentence(tmp_path: Path) -> None:
    store = open_store(tmp_path / "none.db")
    assert store.count() == 0
    with pytest.raises(StoreError, match="there is no store yet"):
        store.runs()
    assert not (tmp_path / "none.db").exists()
