"""history, compare, gate and report as a user types them: exit codes, one JSON document, files for CI."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest

from eamdeploy.base.results import Latency, Provenance, Run, RunVerdict
from eamdeploy.runs.store import open_store


def _run(name: str, median: float, seed: int) -> Run:
    samples = median * np.exp(0.01 * np.random.default_rng(seed).standard_normal(200))
    return Run(
        id=f"2026-{name}",
        device="host",
        runtime="onnxruntime",
        threads=1,
        artifact=f"out/{name}.onnx",
        artifact_sha256=name * 8,
        provenance=Provenance("measured", "this [machine]", "onnxruntime", "1.32", f"2026-11-22T12:0{seed}:00+00:00"),
        verdict=RunVerdict("clean"),
        latency_ms=Latency(
            float(np.median(samples)), ci95=(median * 0.99, median * 1.01),
            samples=tuple(samples.tolist()), block=tuple(np.repeat(range(20), 10).tolist()),
        ),
        group="together",
        git_commit="c0ffee",
    )  # fmt: skip


@pytest.fixture
def eamdeploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command in a folder with a store of a fast and a slow artifact."""
    store = open_store(tmp_path / "runs.db")
    store.append_all([(_run("fast", 10.0, 1), None), (_run("slow", 12.0, 2), None)])
    monkeypatch.setenv("EAMDEPLOY_STORE", str(store.path))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "eamdeploy", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    return call


def test_history_lists_what_is_stored(eamdeploy: Callable[..., Any]) -> None:
    done = eamdeploy("history", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["schema"]) == (0, "eamdeploy/history")
    assert [run["id"] for run in document["runs"]] == ["2026-slow", "2026-fast"]
    assert "samples" not in document["runs"][0]["latency_ms"]
    with_samples = json.loads(eamdeploy("history", "--json", "--samples", "--artifact", "fast.onnx").stdout)
    assert [len(run["latency_ms"]["samples"]) for run in with_samples["runs"]] == [200]
    history_text = eamdeploy("history").stdout
    assert "median [95 % interval]" in history_text
    assert "measured" in history_text


def test_an_empty_history_is_no_error(eamdeploy: Callable[..., Any], tmp_path: Path) -> None:
    done = eamdeploy("history", "--store", str(tmp_path / "none.db"), "--json")
    assert (done.returncode, json.loads(done.stdout)["runs"]) == (0, [])
    assert not (tmp_path / "none.db").exists()


def test_history_moves(eamdeploy: Callable[..., Any]) -> None:
    assert json.loads(eamdeploy("history", "export", "h.jsonl.gz", "--json").stdout)["exported"] == 2
    done = eamdeploy("history", "import", "h.jsonl.gz", "--store", "other.db", "--json")
    assert json.loads(done.stdout) | {"path": ""} == {
        "schema": "eamdeploy/history-import", "schema_version": 1, "imported": 2, "known": 0, "path": "",
    }  # fmt: skip
    assert "this [machine]" in eamdeploy("history", "show", "latest", "--store", "other.db").stdout


def test_compare_never_shows_a_bare_percentage(eamdeploy: Callable[..., Any]) -> None:
    done = eamdeploy("compare", "fast.onnx", "slow.onnx")
    line = next(line for line in done.stdout.splitlines() if line.startswith("latency"))
    assert "slower by" in line
    assert "[" in line
    document = json.loads(eamdeploy("compare", "2026-fast", "2026-slow", "--json").stdout)
    (change,) = document["changes"]
    assert change["direction"] == "worse"
    assert change["interval"][0] < change["change"] < change["interval"][1]
    assert document["interleaved"] is True


def test_a_name_that_is_not_there_lists_those_that_are(eamdeploy: Callable[..., Any]) -> None:
    done = eamdeploy("compare", "fats.onnx", "slow.onnx")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "did you mean 'fast.onnx'" in done.stderr


def test_gate_fails_with_four_and_writes_for_ci(
    eamdeploy: Callable[..., Any], tmp_path: Path, fetched: Callable[[str], Path]
) -> None:
    etree = pytest.importorskip("lxml.etree", reason="lxml validates against the XSD")
    files = ("--junit", "junit.xml", "--sarif", "gate.sarif", "--json")
    done = eamdeploy("gate", "--baseline", "2026-fast", "--current", "2026-slow", *files)
    document = json.loads(done.stdout)
    assert (done.returncode, document["verdict"]) == (4, "failed")
    etree.XMLSchema(etree.parse(str(fetched("junit-10.xsd")))).assertValid(etree.parse(str(tmp_path / "junit.xml")))
    assert ElementTree.parse(tmp_path / "junit.xml").getroot().get("failures") == "1"
    log = json.loads((tmp_path / "gate.sarif").read_text())
    jsonschema.validate(log, json.loads(fetched("sarif.json").read_text("utf-8")))
    (result,) = log["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("gate/latency", "error")
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "out/slow.onnx"


def test_gate_passes_with_nought(eamdeploy: Callable[..., Any]) -> None:
    done = eamdeploy("gate", "--baseline", "2026-slow", "--current", "2026-fast")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "gate passed"
    loose = eamdeploy("gate", "--baseline", "2026-fast", "--current", "2026-slow", "--max-latency-increase", "25%")
    assert loose.returncode == 0


def test_gate_in_github_actions(eamdeploy: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    done = eamdeploy("gate", "--baseline", "2026-fast", "--current", "2026-slow", "--json")
    assert "### eamdeploy gate failed: 1 failed" in (tmp_path / "summary.md").read_text()
    assert done.stderr.startswith("::error title=gate/latency,file=out/slow.onnx::slower by")
    json.loads(done.stdout)


def test_a_file_that_cannot_be_written_does_not_cost_the_verdict(
    eamdeploy: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "nowhere" / "summary.md"))
    done = eamdeploy("gate", "--baseline", "2026-slow", "--current", "2026-fast")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "gate passed")
    assert "warning: cannot append to the step summary" in done.stderr
    done = eamdeploy("gate", "--baseline", "2026-fast", "--current", "2026-slow", "--junit", str(tmp_path), "--json")
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (4, "failed")
    assert "error: " in done.stderr
    done = eamdeploy("gate", "--baseline", "2026-slow", "--current", "2026-fast", "--junit", str(tmp_path))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (2, "gate passed")


@pytest.mark.parametrize(
    "words",
    [
        ("gate",),
        ("gate", "--baseline", "2026-fast", "--max-latency-increase", "-3"),
        ("gate", "--baseline", "2026-fast", "--max-accuracy-drop", "lots"),
        ("gate", "--max-latency-increase", "5"),
        ("history", "--last", "0"),
        ("history", "show", "nix"),
        ("history", "import", "none.jsonl"),
    ],
)
def test_wrong_usage_is_two(eamdeploy: Callable[..., Any], words: tuple[str, ...]) -> None:
    done = eamdeploy(*words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_baseline_file(eamdeploy: Callable[..., Any], tmp_path: Path) -> None:
    assert eamdeploy("gate", "--write-baseline", "ci/baseline.json", "--current", "2026-fast").returncode == 0
    assert (tmp_path / "ci" / "baseline.json").exists()
    assert eamdeploy("gate", "--baseline", "ci/baseline.json", "--current", "2026-slow").returncode == 4


def test_report_writes_a_page_and_markdown(eamdeploy: Callable[..., Any], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the report's figures need matplotlib")
    done = eamdeploy("report", "--out", "r.html", "--markdown", "r.md", "--title", "Mine & yours", "--json")
    document = json.loads(done.stdout)
    assert (document["runs"], document["html"], document["markdown"]) == (2, "r.html", "r.md")
    assert "<h1>Mine &amp; yours</h1>" in (tmp_path / "r.html").read_text("utf-8")
    assert eamdeploy("report", "--markdown", "-").stdout.startswith("## eamdeploy report")


def test_a_store_of_the_future(eamdeploy: Callable[..., Any], tmp_path: Path) -> None:
    import sqlite3

    connection = sqlite3.connect(tmp_path / "runs.db")
    connection.execute("PRAGMA user_version = 42")
    connection.close()
    for words in (("history",), ("compare", "a", "b"), ("gate", "--baseline", "x"), ("report",)):
        done = eamdeploy(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert "written by a newer eamdeploy" in done.stderr
        assert done.stderr.count("\n") == 1


def test_completion_offers_runs_and_artifacts(
    eamdeploy: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eamdeploy.cli.options.completion import complete_artifact, complete_run, complete_stored

    assert [name for name, _ in complete_run("")] == ["latest", "2026-slow", "2026-fast", "slow.onnx", "fast.onnx"]
    assert [name for name, _ in complete_run("f")] == ["fast.onnx"]
    assert complete_stored("device") == ["host"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    for name in ("out/a.onnx", "out/b.tflite", "out/notes.txt"):
        (tmp_path / name).touch()
    assert complete_artifact("o") == ["out/"]
    assert complete_artifact("out/") == ["out/a.onnx", "out/b.tflite"]
    monkeypatch.setenv("EAMDEPLOY_STORE", str(tmp_path / "none.db"))
    assert complete_run("") == []


def test_the_shell_asks_and_is_answered(eamdeploy: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_EAMDEPLOY_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "eamdeploy compare 2026-s")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert eamdeploy().stdout.split() == ["2026-slow"]
