"""What somebody else wrote is refused with file, field and value, or does no harm in any view."""

from __future__ import annotations

import gzip
import json
import sqlite3
from pathlib import Path

import pytest

from eamdeploy.base.errors import EamdeployError, UsageError
from eamdeploy.runs.gate import run_gate
from eamdeploy.runs.report import collect, render_markdown, write_html
from eamdeploy.runs.store import Store, export_runs, import_runs, open_store, read_runs
from tests.eamdeploy.runs.store.crafted import GOOD, crafted

HEADER = '{"format": "eamdeploy-runs", "format_version": 1}\n'


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "good.jsonl").write_text(HEADER + json.dumps({"run": GOOD}) + "\n")
    store = open_store(tmp_path / "runs.db")
    import_runs(store, tmp_path / "good.jsonl")
    return store


def _plant(store: Store, document: object, run_id: str) -> None:
    """A row as an older version, or another program, may have left it."""
    with sqlite3.connect(store.path) as connection:
        connection.execute(
            "INSERT INTO runs (id, stored_at, measured_at, device, runtime, threads, precision, provenance, verdict, "
            "artifact_name, artifact_sha256, document) "
            "VALUES (?, '', '9999', 'pi4', 'onnxruntime', 4, 'fp32', 'measured', 'clean', 'model.onnx', ?, ?)",
            (run_id, "ab" * 32, document),
        )
        connection.execute("INSERT INTO samples VALUES (?, x'', x'')", (run_id,))
    connection.close()


def test_crafted_imports_and_baselines_are_refused(store: Store, tmp_path: Path) -> None:
    cases = crafted()
    assert len(cases) >= 100
    for name, document in cases:
        (tmp_path / "new.jsonl").write_text(HEADER + json.dumps({"run": document}) + "\n")
        (tmp_path / "base.json").write_text(json.dumps({"runs": [document]}))
        with pytest.raises(UsageError) as refused:
            import_runs(store, tmp_path / "new.jsonl")
        assert "new.jsonl:2" in str(refused.value), name
        with pytest.raises(UsageError) as refused:
            read_runs(tmp_path / "base.json")
        assert "base.json" in str(refused.value), name
    assert store.count() == 1


def test_rows_that_do_not_decode_are_passed_over_in_every_view_and_can_be_set_aside(store: Store) -> None:
    # the id is the row's own, and samples lie in tables of their own
    apart = ("id =", "latency_ms.samples", "latency_ms.block", "conditions.samples")
    cases = [(name, document) for name, document in crafted() if not name.startswith(apart)]
    for number, (_, document) in enumerate(cases):
        _plant(store, json.dumps({**document, "id": f"bad-{number}"}), f"bad-{number}")
    _plant(store, "[" * 100_000, "brackets")
    _plant(store, "{", "cut")
    _plant(store, b"\xff\xfe", "bytes")
    _plant(store, json.dumps(GOOD), "another-name")
    assert [run.id for run in store.runs(samples=True)] == [GOOD["id"]]
    assert {"brackets", "cut", "bytes", "another-name"} < store.unreadable.keys()
    material = collect(store)
    assert [run.id for run in material.runs] == [GOOD["id"]]
    write_html(store.path.with_name("page.html"), material)
    render_markdown(material, "t")
    assert run_gate(store, GOOD["id"], [GOOD["id"]]).comparisons
    export_runs(store, store.path.with_name("out.jsonl"))
    with pytest.raises(EamdeployError, match="a stored run cannot be read"):
        store.get("cut")
    set_aside = store.quarantine()
    assert len(set_aside) == len(cases) + 4
    fresh = open_store(store.path)
    assert [run.id for run in fresh.runs(samples=True)] == [GOOD["id"]]
    assert not fresh.unreadable


def test_the_latest_run_is_the_one_that_arrived_last(store: Store, tmp_path: Path) -> None:
    older = {**GOOD, "id": "older", "provenance": {**GOOD["provenance"], "when": "2020-01-01T00:00:00+00:00"}}
    (tmp_path / "older.jsonl").write_text(HEADER + json.dumps({"run": older}) + "\n")
    import_runs(store, tmp_path / "older.jsonl")
    assert store.runs()[0].id == store.get("latest").id == "older"


@pytest.mark.parametrize(
    "manifest",
    [[], "x", {"schema_version": "1"}, {"schema_version": 1, "artifacts": {}}, {"schema_version": 1, "artifacts": [3]},
     {"schema_version": 1, "artifacts": [{"parity": {"outputs": [{"snr_db": "high"}]}}]},
     {"schema_version": 1, "artifacts": [{"plan": [{"shape": 3}]}]},
     {"schema_version": 1, "artifacts": [{"plan": [{"measured_ms": {"a": []}}]}]},
     {"schema_version": 1, "artifacts": [{"file": "../../etc/passwd"}]}],
)  # fmt: skip
def test_a_manifest_of_somebodys_own_making(store: Store, tmp_path: Path, manifest: object) -> None:
    (tmp_path / "new.jsonl").write_text(HEADER + json.dumps({"run": {**GOOD, "id": "n"}, "manifest": manifest}) + "\n")
    with pytest.raises(UsageError, match=r"new.jsonl:2"):
        import_runs(store, tmp_path / "new.jsonl")


def test_a_few_kilobytes_that_unpack_to_much(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from eamdeploy.runs.store import transfer

    monkeypatch.setattr(transfer, "LINE_LIMIT_BYTES", 1 << 20)
    with gzip.open(tmp_path / "bomb.jsonl.gz", "wb") as file:
        file.write(HEADER.encode() + b" " * (1 << 24))
    with pytest.raises(UsageError, match="larger than 1,048,576 bytes, unpacked"):
        import_runs(store, tmp_path / "bomb.jsonl.gz")


def test_a_good_manifest_travels_with_its_run(store: Store, tmp_path: Path) -> None:
    manifest = {
        "schema_version": 1,
        "name": "net",
        "artifacts": [{"file": "model.onnx", "parity": {"verdict": "passed"}}],
    }
    (tmp_path / "new.jsonl").write_text(HEADER + json.dumps({"run": {**GOOD, "id": "n"}, "manifest": manifest}) + "\n")
    assert import_runs(store, tmp_path / "new.jsonl").added == 1
    export_runs(store, tmp_path / "out.jsonl.gz")
    other = open_store(tmp_path / "other.db")
    assert import_runs(other, tmp_path / "out.jsonl.gz").added == 2
    assert other.manifests() == {GOOD["artifact_sha256"]: manifest}
