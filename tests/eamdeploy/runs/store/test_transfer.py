"""A history moves between machines without loss and without doubles."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eamdeploy.base.errors import UsageError
from eamdeploy.base.results import Run
from eamdeploy.runs.store import RunFilter, Store, export_runs, import_runs, open_store


@pytest.fixture
def store(tmp_path: Path, make_run: Callable[..., Run]) -> Store:
    store = open_store(tmp_path / "runs.db")
    store.append(make_run(id="a"), manifest={"plan": [{"layer": "features.0"}]})
    store.append(make_run(id="b", device="pi5", git_commit=None))
    return store


@pytest.mark.parametrize("name", ["history.jsonl", "history.jsonl.gz"])
def test_there_and_back(tmp_path: Path, store: Store, name: str) -> None:
    assert export_runs(store, tmp_path / name) == 2
    other = open_store(tmp_path / "other.db")
    assert (lambda done: (done.added, done.existing))(import_runs(other, tmp_path / name)) == (2, 0)
    assert other.runs(samples=True) == store.runs(samples=True)
    assert other.manifests() == store.manifests() != {}
    assert (lambda done: (done.added, done.existing))(import_runs(other, tmp_path / name)) == (0, 2)


def test_a_part_of_it(tmp_path: Path, store: Store) -> None:
    assert export_runs(store, tmp_path / "h.jsonl", RunFilter(device="pi5")) == 1


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda lines: ["{}", *lines[1:]], "not a history export"),
        (lambda lines: [], "not a history export"),
        (lambda lines: [json.dumps({**json.loads(lines[0]), "format_version": 7}), *lines[1:]], "newer eamdeploy"),
        (lambda lines: [*lines[:-1], lines[-1][:50]], r"h\.jsonl:3.*nothing was imported"),
        (lambda lines: [*lines, '{"run": {"id": "x"}}'], r"h\.jsonl:4"),
    ],
)
def test_a_damaged_export_imports_nothing(
    tmp_path: Path, store: Store, spoil: Callable[[list[str]], list[str]], words: str
) -> None:
    path = tmp_path / "h.jsonl"
    export_runs(store, path)
    path.write_text("\n".join(spoil(path.read_text().splitlines())))
    other = open_store(tmp_path / "other.db")
    with pytest.raises(UsageError, match=words):
        import_runs(other, path)
    assert other.count() == 0


def test_a_gzip_cut_short_imports_nothing(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "h.jsonl.gz"
    export_runs(store, path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UsageError, match="cannot read the export"):
        import_runs(open_store(tmp_path / "other.db"), path)


def test_an_export_that_is_not_there(tmp_path: Path, store: Store) -> None:
    with pytest.raises(UsageError, match="No such file"):
        import_runs(store, tmp_path / "none.jsonl")


def test_exports_that_were_joined_are_one(tmp_path: Path, store: Store) -> None:
    for device in ("pi4", "pi5"):
        export_runs(store, tmp_path / f"{device}.jsonl", RunFilter(device=device))
    joined = tmp_path / "all.jsonl"
    joined.write_text("".join((tmp_path / f"{device}.jsonl").read_text() for device in ("pi4", "pi5")))
    assert import_runs(open_store(tmp_path / "other.db"), joined).added == 2


def test_an_export_is_no_table(tmp_path: Path, store: Store) -> None:
    with pytest.raises(UsageError, match=r"not a table .*h\.csv.*name it h\.jsonl"):
        export_runs(store, tmp_path / "h.csv")
    assert not (tmp_path / "h.csv").exists()


def test_the_store_may_be_named_from_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("EAMDEPLOY_STORE", "~/x.db")
    assert open_store().path == tmp_path / "x.db"
