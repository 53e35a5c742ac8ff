"""Model cards: what they say, and what they leave out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from eamdeploy.base.results import AccuracyResult, Latency, Provenance, Run, RunVerdict
from eamdeploy.runs.card import card_path, renew_cards, write_card

SHA = "ab" * 32


def write_manifest(folder: Path) -> None:
    entry = {
        "file": "net.onnx", "format": "onnx", "precision": "fp32", "bytes": 4_078_858, "sha256": SHA,
        "parity": {"verdict": "passed", "images": 100, "data": "sample"}, "versions": {"eamdeploy": "0.1.0"},
    }  # fmt: skip
    document = {
        "schema_version": 1, "name": "net", "checkpoint": {"name": "net", "sha256": "cd" * 32},
        "architecture": {"arch": "mobilenet_v1", "width": 0.25, "conv": "eam"}, "classes": ["cat", "a|b"],
        "preprocessing": {"size": 28, "resize": None, "mean": [0.3], "std": [0.4], "channels": 1}, "artifacts": [entry],
    }  # fmt: skip
    (folder / "net.manifest.json").write_text(json.dumps(document), "utf-8")


def run() -> Run:
    return Run(
        id="20261127T100000000000-00000001", device="pi4", runtime="onnxruntime", threads=1, artifact="net.onnx",
        artifact_sha256=SHA, provenance=Provenance("measured", "a board", "onnxruntime", "1.32.0"),
        verdict=RunVerdict("clean"), latency_ms=Latency(p50=6.25, p90=6.5, p99=7.125), memory_mb=61.0,
        accuracy=AccuracyResult(top1=92.5, n=200, data="sample"),
    )  # fmt: skip


def test_a_card_says_what_was_measured_and_nothing_else(tmp_path: Path) -> None:
    write_manifest(tmp_path)
    text = write_card(tmp_path, "net").read_text("utf-8")
    assert text.startswith("---\nlicense: other")
    assert "EAM-DyNet mobilenet_v1 x0.25 for 2 classes" in text
    assert "None yet" in text
    assert "ms" not in text.split("## Measurements")[1].split("## Usage")[0]
    assert renew_cards([tmp_path / "net.onnx"], [run(), replace(run(), artifact_sha256="00" * 32)]) == [
        card_path(tmp_path, "net")
    ]
    text = card_path(tmp_path, "net").read_text("utf-8")
    row = next(line for line in text.splitlines() if "| pi4 |" in line)
    assert [cell.strip() for cell in row.strip("|").split("|")][5:9] == ["6.25", "6.5", "7.12", "61"]
    assert "92.50 (88." in row
    assert text.count("| pi4 |") == 1


def test_the_usage_example_is_ten_lines_that_compile(tmp_path: Path) -> None:
    write_manifest(tmp_path)
    code = write_card(tmp_path, "net").read_text("utf-8").split("```python\n")[1].split("```")[0]
    compile(code, "card", "exec")
    assert len(code.strip().splitlines()) <= 12


def test_an_artifact_without_a_card_gets_none(tmp_path: Path) -> None:
    write_manifest(tmp_path)
    assert renew_cards([tmp_path / "net.onnx"], [run()]) == []
    assert not card_path(tmp_path, "net").exists()
