"""The figures in the README are today's: what it says of accuracies, estimates and costs is measured or read again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.docs.pages import README, ROOT

TEXT = README.read_text("utf-8")
NAME = "fashion-mnist-v1x0.25-eam-rcr"


def test_the_table_of_checkpoints() -> None:
    from eamdeploy.networks.zoo.catalogue import list_models

    top1_by_name = dict(re.findall(r"^\| `([\w.-]+)` \|[^|]*\| ([\d.]+) % of 10,000 \|$", TEXT, re.MULTILINE))
    assert top1_by_name == {model.name: f"{model.top1:.2f}" for model in list_models()}


def test_the_badges() -> None:
    """They say what pyproject.toml and the CI's own matrix say."""
    import tomllib

    import yaml

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))["jobs"]
    tested = jobs["quick"]["strategy"]["matrix"]["python"]
    assert f"Python: {' | '.join(tested)}<" in (ROOT / "docs" / "images" / "badge-python.svg").read_text("utf-8")
    assert f"![Python {', '.join(tested)}]" in TEXT
    assert project["requires-python"] == f">={tested[0]}"
    assert f"licence: {project['license']}<" in (ROOT / "docs" / "images" / "badge-licence.svg").read_text("utf-8")
    assert f"Licence: {project['license']}]" in TEXT
    assert "actions/workflows/ci.yml/badge.svg" in TEXT


def test_the_demo_s_table_is_that_of_its_runs() -> None:
    from benchmarks.recordings.demo import FIGURE, RUNS, shown, table
    from eamdeploy.runs.store.files import read_runs

    runs = read_runs(RUNS)
    assert shown(TEXT) == table(runs)
    assert max(map(len, shown(TEXT).splitlines())) <= 80
    # what the page says of them
    by_name = {run.artifact.rpartition("rcr")[2]: run for run in runs}
    for ending in ("onnx", "tflite"):
        float_run, int8_run = by_name[f".{ending}"], by_name[f"-int8.{ending}"]
        assert float_run.latency_ms is not None
        assert int8_run.latency_ms is not None
        assert int8_run.latency_ms.p50 >= float_run.latency_ms.p50
    assert {run.verdict.state for run in runs} == {"suspect"}
    assert FIGURE.stat().st_size < 150_000


def test_what_a_dynamic_network_costs() -> None:
    rows = []
    for name in ("whole-network.json", "whole-network-amx.json"):
        document = json.loads((ROOT / "benchmarks" / "export" / name).read_text("utf-8"))
        rows += [row for run in document.get("runs", [document]) for row in run["rows"]]
    ratios = [row["ratio"] for row in rows if row["files"][0].startswith("static")]
    assert f"took {min(ratios):.1f} to {max(ratios):.1f} times" in " ".join(TEXT.split())


@pytest.mark.slow
def test_the_demo_s_accuracies(start: Path, tmp_path: Path) -> None:
    import eamdeploy
    from benchmarks.recordings.demo import RUNS
    from eamdeploy.inference.evaluate import evaluate
    from eamdeploy.runs.store.files import read_runs

    runs = {run.artifact.rpartition("rcr")[2]: run for run in read_runs(RUNS)}
    # calibrated as the demo does, on the bundled images; the quick start calibrates on a folder
    artifacts = eamdeploy.export(NAME, tmp_path, formats=["onnx"], precisions=["fp32", "int8"])
    files = {str(artifact.path).rpartition("rcr")[2]: artifact.path for artifact in artifacts}
    files[".tflite"] = start / "build" / "net.tflite"
    assert len(files) == 3
    for ending, file in files.items():
        result = evaluate(file).result
        measured = runs[ending].accuracy
        assert measured is not None
        assert (measured.top1, measured.n) == (result.top1, result.n), ending


@pytest.mark.slow
def test_the_estimate(start: Path) -> None:
    import eamdeploy

    match = re.search(r"^pi4 +litert +int8 +\d+ +~([\d.]+) +([\d.]+) to ([\d.]+)\b", TEXT, re.MULTILINE)
    assert match
    (estimate,) = eamdeploy.estimate(start / "build" / "net-int8.tflite", ["pi4"])
    assert estimate.interval90_ms is not None
    assert [f"{value:.3g}" for value in (estimate.p50_ms, *estimate.interval90_ms)] == [*match.groups()]


def test_the_gain() -> None:
    """The sentence below the figure is that of the results, and the figure is drawn from them."""
    rows = json.loads((ROOT / "benchmarks" / "gain" / "results.json").read_text("utf-8"))["rows"]
    times = {name: rows["textbook"]["p50_ms"] / row["p50_ms"] for name, row in rows.items()}
    text = " ".join(TEXT.split())
    assert f"{times['exact']:.1f} times as fast as the usual export" in text
    assert f"{times['budget']:.1f} times as fast with `--budget 0.5`" in text
    drop = rows["textbook"]["top1"] - rows["budget"]["top1"]
    assert f"for {drop:.2f} points of accuracy" in text
    pytest.importorskip("matplotlib", reason="the figure needs matplotlib")
    from benchmarks.gain.__main__ import FIGURE

    figure = FIGURE.read_text("utf-8")
    for row in rows.values():
        assert f"{row['p50_ms']:.2f} ms" in figure


def test_the_recording_is_of_commands_that_exist_and_of_no_machine() -> None:
    from benchmarks.recordings.svg import FIGURE, SHOWN

    figure = FIGURE.read_text("utf-8").replace("&#160;", " ")
    assert all(f"eamdeploy {command}" in figure for command in SHOWN)
    assert "%" in figure
    assert not re.search(r"/(?:home|root|work|tmp)/", figure)
    assert "http" not in re.sub(r'(?:xmlns(?::\w+)?="[^"]*"|https://www\.textualize\.io)', "", figure)
