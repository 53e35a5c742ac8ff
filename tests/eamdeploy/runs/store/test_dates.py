"""Dates as people write them; what is none, or could be two days, is refused, and an empty selection says so."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from eamdeploy.base.errors import UsageError
from eamdeploy.base.results import Provenance, Run, RunVerdict
from eamdeploy.runs.report import collect
from eamdeploy.runs.store import RunFilter, open_store
from eamdeploy.runs.store.dates import moment

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-11-27", "2026-11-27T00:00"),
        ("20261127", "2026-11-27T00:00"),
        ("27.11.2026", "2026-11-27T00:00"),
        ("1.2.2026", "2026-02-01T00:00"),
        ("27 Nov 2026", "2026-11-27T00:00"),
        ("November 27, 2026", "2026-11-27T00:00"),
        ("2026-11-27T14:30+02:00", "2026-11-27T12:30"),
        ("2026-11-27 14:30", "2026-11-27T14:30"),
        ("2026-11-27T14:30Z", "2026-11-27T14:30"),
        ("Yesterday", "2026-11-27T00:00"),
        ("today", "2026-11-28T00:00"),
        ("2 weeks ago", "2026-11-14T12:00"),
    ],
)
def test_dates(text: str, iso: str) -> None:
    assert moment(text, NOW).isoformat(timespec="minutes") == f"{iso}+00:00"


@pytest.mark.parametrize(
    "text",
    [
        "2026-13-01",
        "2026-02-30",
        "32.1.2026",
        "soon",
        "10",
        "may",
        "",
        "2026",
        "2026-11",
        "27.13.2026",
        "latest",
        "-1",
        "٣",
    ],
)
def test_no_dates(text: str) -> None:
    with pytest.raises(UsageError, match="is no date"):
        RunFilter(since=text)


def test_what_could_be_two_days() -> None:
    with pytest.raises(UsageError, match="could be two days: 2026-03-04 or 2026-04-03"):
        moment("03/04/2026")
    assert moment("27/04/2026").month == 4
    with pytest.raises(UsageError, match="ends before it begins"):
        RunFilter(since="2026-11-28", until="2026-11-27")


def _run(number: int, when: str) -> Run:
    provenance = Provenance("measured", "this", "onnxruntime", "1.32", when)
    return Run(
        f"run-{number}",
        "host",
        runtime="onnxruntime",
        threads=1,
        artifact="net.onnx",
        artifact_sha256="ab" * 32,
        provenance=provenance,
        verdict=RunVerdict("clean"),
    )


def test_moments_select_not_text(tmp_path: Path) -> None:
    store = open_store(tmp_path / "runs.db")
    # the first is the later moment, and the smaller text
    store.append_all([(_run(1, "2026-11-26T23:30:00-08:00"), None), (_run(2, "2026-11-27T01:00:00+00:00"), None)])
    assert [run.id for run in store.runs(RunFilter(since="2026-11-27T06:00"))] == ["run-1"]
    assert [run.id for run in store.runs(RunFilter(until="2026-11-27T06:00Z"))] == ["run-2"]
    assert len(store.select(RunFilter(since="27.11.2026"))) == 2


def test_an_empty_selection_is_no_result(tmp_path: Path) -> None:
    store = open_store(tmp_path / "runs.db")
    store.append(_run(1, "2026-11-26T23:30:00+00:00"))
    for where in (RunFilter(since="2027-01-01"), RunFilter(device="pi5"), RunFilter(artifact="other.onnx")):
        with pytest.raises(UsageError, match="no stored run meets the selection"):
            store.select(where)
        with pytest.raises(UsageError, match="no stored run meets the selection"):
            collect(store, where)
    assert RunFilter(since="2027-01-01").words == "since 2027-01-01T00:00:00.000+00:00"
