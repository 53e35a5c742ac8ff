"""Whole benches on emulated boards: accuracy that is the host's, and instruction counts that repeat."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import eamdeploy
from eamdeploy.measurement import Effort, Request, bench, choose_targets, expand
from eamdeploy.pipeline.export import ExportOptions
from runtimes.registry import runtime_for
from tests.devices.emulated_board import needs_qemu
from tests.runtimes import tiny_models

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(autouse=True)
def own_boards(tmp_path, monkeypatch):
    needs_qemu()
    monkeypatch.setenv("EAMDEPLOY_BOARDS", str(tmp_path / "boards.toml"))


def test_both_runtimes_answer_on_500_images_as_on_the_host(tmp_path):
    generator = np.random.default_rng(5)
    for name in tiny_models.CLASSES:
        (tmp_path / "data" / "test" / name).mkdir(parents=True)
        for number in range(170):
            pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / "test" / name / f"{number:03}.png")
    tiny_models.write_onnx(tmp_path / "tiny.onnx", metadata=tiny_models.metadata())
    tiny_models.write_tflite(
        tmp_path / "tiny.tflite", metadata=tiny_models.metadata(format="tflite", input_layout="NHWC")
    )
    cases = expand([tmp_path / "tiny.onnx", tmp_path / "tiny.tflite"])
    report = bench(Request(cases, Effort(), data=tmp_path / "data", limit=500), choose_targets("pi4"))
    assert [failure.to_dict() for failure in report.failures] == []
    emulated = [run for run in report.runs if run.provenance.kind == "emulated"]
    assert {run.runtime for run in emulated} == {"onnxruntime", "litert"}
    for run in emulated:
        assert run.accuracy.n >= 498
        assert run.accuracy.flips <= 1
    assert all(run.provenance.kind != "measured" for run in report.runs)


def test_ncnn_and_mnn_answer_as_on_the_host(tmp_path):
    """The shipped network with all its computed kernels, in the aarch64 wheels of both."""
    artifacts = eamdeploy.export(
        "fashion-mnist-v1x0.25-eam-rcr",
        tmp_path,
        formats=["ncnn", "mnn"],
        device="pi4",
        options=ExportOptions(images=20),
    )
    report = eamdeploy.bench(artifacts, "pi4", accuracy=True, limit=100, keep=False)
    assert [failure.to_dict() for failure in report.failures] == []
    emulated = {run.runtime: run.accuracy for run in report.runs if run.provenance.kind == "emulated"}
    assert set(emulated) == {"ncnn", "mnn"}
    for artifact in artifacts:
        host = eamdeploy.evaluate(artifact, limit=100)
        accuracy = emulated[runtime_for(artifact.path).name]
        assert accuracy.n == 100
        assert accuracy.flips == 0
        assert accuracy.top1 == pytest.approx(host.result.top1, abs=1e-9)


def test_instructions_repeat_over_boots(tmp_path):
    tiny_models.write_onnx(tmp_path / "tiny.onnx", px=32, layers=3, width=16)
    request = Request(expand([tmp_path / "tiny.onnx"]), Effort(), accuracy=False)
    counts = []
    for _ in range(3):
        report = bench(request, choose_targets("pi4", instructions=True))
        assert [failure.to_dict() for failure in report.failures] == []
        assert report.runs[0].latency_ms is None
        counts.append(report.runs[0].instructions)
    assert min(counts) > 1000
    assert (max(counts) - min(counts)) / min(counts) < 0.005
