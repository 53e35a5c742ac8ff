"""``devices calibrate``: from the store of runs to estimates that rest on them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eamdeploy.base.results import Latency, Provenance, Run, RunVerdict
from eamdeploy.networks.checkpoint import load_checkpoint
from eamdeploy.networks.random_init import write_random
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.pipeline.export import ExportOptions, export_checkpoint
from eamdeploy.runs.store import open_store


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two widths of MobileNetV1 as .onnx."""
    folder = tmp_path_factory.mktemp("networks")
    for width in (0.25, 0.5):
        path = folder / f"v1x{width}.safetensors"
        write_random(ArchSpec(conv="static", width=width, classes=10, input_px=64), path)
        export_checkpoint(load_checkpoint(path), folder, ExportOptions(formats=("onnx",), images=4))
    return sorted(folder.glob("*.onnx"))


@pytest.fixture
def measured(tmp_path: Path, networks: list[Path]) -> Callable[..., Path]:
    """A store where the two were measured on a board called mypi: the arguments are milliseconds."""

    def write(*milliseconds: float) -> Path:
        store = tmp_path / "runs.db"
        for number, (path, ms) in enumerate(zip(networks, milliseconds, strict=False)):
            run = Run(
                id=f"20261122T12000{number}-{number:012}",
                device="pi4",
                board="mypi",
                runtime="onnxruntime",
                threads=1,
                artifact=str(path),
                artifact_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                provenance=Provenance("measured", "mypi", "onnxruntime", "1.32.0", "2026-11-22T12:00:00+00:00"),
                verdict=RunVerdict("clean"),
                latency_ms=Latency(
                    ms, ms, p99=ms, mean=ms, ci95=(ms, ms), interval90=None, samples=(ms,) * 40, block=(0,) * 40
                ),
                format="onnx",
                precision="fp32",
            )
            open_store(store).append(run)
        return store

    return write


@pytest.mark.slow
def test_two_measured_networks_become_a_calibration_that_estimates_prefer(measured, networks, call) -> None:
    code, out, _ = call("devices", "calibrate", "--store", str(measured(8.0, 26.0)))
    assert code == 0
    assert any(line.split()[:6] == ["mypi", "ONNXRuntime", "1.32", "fp32", "1", "2"] for line in out.splitlines())
    assert "contradict" not in out
    code, out, _ = call("estimate", str(networks[0]), "--device", "mypi", "--json")
    assert code == 0
    (estimate,) = json.loads(out)["estimates"]
    assert estimate["interval90_ms"][0] < 8.0 < estimate["interval90_ms"][1]
    assert estimate["provenance"] == "estimated"


@pytest.mark.slow
def test_measurements_that_contradict_each_other_are_said_to(measured, networks, call) -> None:
    store = measured(8.0, 400.0)
    code, out, _ = call("devices", "calibrate", "--store", str(store))
    assert code == 0
    assert "bench both again" in " ".join(out.split())
    _, out, _ = call("devices", "calibrate", "--store", str(store), "--json")
    (calibration,) = json.loads(out)["calibrations"]
    assert calibration["tests"]["anchors"]["doubted"] is True
    _, out, _ = call("estimate", str(networks[0]), "--device", "mypi")
    assert "contradict" in " ".join(out.split())


@pytest.mark.slow
def test_one_network_is_too_few(measured, call) -> None:
    code, out, err = call("devices", "calibrate", "--store", str(measured(8.0)))
    assert (code, out) == (2, "")
    assert "at least 2" in " ".join(err.split())
