"""A finished measurement is kept, whatever stands beside it and whatever goes wrong; and it is its user's alone."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from eamdeploy.base.errors import EamdeployError
from eamdeploy.base.results import Run
from eamdeploy.runs.store import import_runs, open_store, rows

MakeRun = Callable[..., Run]


def test_a_manifest_of_brackets_and_a_name_that_is_not_utf_8(tmp_path: Path, make_run: MakeRun) -> None:
    name = os.fsdecode(b"net-\xff.onnx")
    (tmp_path / os.fsdecode(b"net-\xff.onnx.manifest.json")).write_text(name.encode("ascii", "replace").decode())
    (tmp_path / "net.manifest.json").write_text("[" * 100_000)
    store = open_store(tmp_path / "runs.db")
    store.append(make_run(artifact=str(tmp_path / name)))
    store.append(make_run(artifact=str(tmp_path / "net.onnx"), artifact_sha256="cd" * 32))
    assert len(store.runs(samples=True)) == 2
    assert not store.unreadable
    assert "net-\\udcff.onnx" in {Path(run.artifact).name for run in store.runs()}


@pytest.mark.parametrize(
    "error", [RuntimeError("x"), RecursionError(), MemoryError(), sqlite3.OperationalError("disk")]
)
def test_any_failure_writes_the_rescue_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_run: MakeRun, error: Exception
) -> None:
    monkeypatch.chdir(tmp_path)
    run = make_run()
    with monkeypatch.context() as broken:
        broken.setattr(rows, "insert", lambda *_: (_ for _ in ()).throw(error))
        with pytest.raises(EamdeployError, match="history import"):
            open_store(tmp_path / "runs.db").append(run)
    (rescue_file,) = tmp_path.glob("eamdeploy-run-*.jsonl")
    assert rescue_file.stat().st_mode & 0o777 == 0o600
    assert import_runs(open_store(tmp_path / "other.db"), rescue_file).added == 1


def test_the_store_is_its_user_s_alone(tmp_path: Path, make_run: MakeRun) -> None:
    store = open_store(tmp_path / "state" / "runs.db")
    store.append(make_run())
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert store.path.parent.stat().st_mode & 0o777 == 0o700
