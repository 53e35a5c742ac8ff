"""The same checks in every rendering: counts agree, nothing in a message escapes its place."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from eamdeploy.base.errors import UsageError
from eamdeploy.runs.findings import (
    Check,
    Finding,
    Location,
    annotation_lines,
    append_step_summary,
    checks_table,
    findings_of,
    junit_xml,
    sarif_log,
)

FAILED = Check("p50", False, "slower by 12 %", group="m.onnx", rule="gate/latency", details={"bound": 0.09})
PASSED = Check("top1", True, "same")
SKIPPED = Check("energy", False, "no sensor", skipped=True)


def test_junit_counts_what_happened() -> None:
    suite = ElementTree.fromstring(junit_xml("gate", [FAILED, PASSED, SKIPPED]).encode()).find("testsuite")
    assert suite is not None
    assert [suite.get(k) for k in ("tests", "failures", "skipped", "errors")] == ["3", "1", "1", "0"]
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("type") == "gate/latency"
    assert "bound: 0.09" in (failure.text or "")


def test_only_failures_are_errors() -> None:
    assert [(f.rule, f.level) for f in findings_of([FAILED, PASSED, SKIPPED])] == [
        ("gate/latency", "error"),
        ("energy", "note"),
    ]


def test_a_fingerprint_outlives_new_figures_but_not_a_new_layer() -> None:
    def print_of(message: str, layer: str) -> str:
        log = sarif_log([], [Finding("r", "error", message, Location("m.onnx", logical=layer))])
        return str(log["runs"][0]["results"][0]["partialFingerprints"]["eamdeploy/v1"])

    assert print_of("12 %", "a") == print_of("13 %", "a")
    assert print_of("12 %", "a") != print_of("12 %", "b")


def test_paths_below_the_working_folder_are_relative(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    log = sarif_log([], [Finding("r", "error", "m", Location(tmp_path / "out" / "a b.onnx"))])
    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "out/a%20b.onnx"


def test_markdown_cells_hold_hostile_text() -> None:
    text = checks_table("gate", [Check("a|b", False, "<img src=x>\n| @everyone `x`")])
    assert text.splitlines()[-1].count("|") - text.splitlines()[-1].count("\\|") == 5
    assert "\\<img" in text
    assert "\\@everyone" in text
    assert text.startswith("### gate: 1 failed")


def test_failed_checks_come_first() -> None:
    lines = checks_table("gate", [PASSED, SKIPPED, FAILED]).splitlines()
    assert ["failed" in lines[4], "skipped" in lines[5], "passed" in lines[6]] == [True] * 3


def test_the_summary_is_appended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    target = tmp_path / "summary.md"
    target.write_text("earlier step\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(target))
    assert append_step_summary("## ours") == target
    assert target.read_text() == "earlier step\n## ours\n\n"


def test_the_summary_is_cut_at_githubs_limit(tmp_path: Path) -> None:
    target = tmp_path / "summary.md"
    append_step_summary("| é |\n" * 400_000, target)
    assert target.stat().st_size <= 1024 * 1024
    assert target.read_text().rstrip().endswith("(cut: GitHub shows at most 1 MiB per step)")
    append_step_summary("one more\n" * 10_000, target)
    assert target.stat().st_size <= 1024 * 1024


def test_no_summary_outside_github(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert append_step_summary("x") is None


def test_a_summary_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot append to the step summary"):
        append_step_summary("x", tmp_path / "no" / "such" / "folder")


def test_a_message_cannot_start_a_workflow_command() -> None:
    finding = Finding("gate/p50", "error", "50 %\n::set-output name=x::y", Location("a,b:c.onnx", 3))
    (line,) = annotation_lines([finding])
    assert "\n" not in line
    assert line == "::error title=gate/p50,file=a%2Cb%3Ac.onnx,line=3::50 %25%0A::set-output name=x::y"
