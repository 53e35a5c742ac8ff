"""A right artifact passes, with an error of the size of PyTorch's own rounding."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from eamdeploy.parity import ParityTolerance, check_parity
from eamdeploy.parity.report.model import ParityReport
from tests.eamdeploy.parity.artifact_breaking import break_artifact
from tests.eamdeploy.parity.parity_artifacts import SMALL, Made


def ratio(report: ParityReport) -> float:
    """Error in units of the network's own rounding."""
    return report.outputs[0].relative_error / report.outputs[0].rounding_relative


@pytest.mark.parametrize("fmt", ["onnx", pytest.param("tflite", marks=pytest.mark.slow)])
def test_one_hundred_real_images(artifact_of: Callable[..., Made], fmt: str) -> None:
    good = artifact_of(fmt)
    report = check_parity(good.path, good.checkpoint, random_images=4)
    assert report.verdict == "passed", report.sentence
    assert report.images == 100
    assert report.data == "fashion-mnist-sample"
    assert report.flips_above_rounding == 0
    assert report.outputs[0].snr_db is not None
    assert report.outputs[0].snr_db > 80
    assert ratio(report) < ParityTolerance().factor / 2
    assert [row.layer for row in report.attention] == list(good.checkpoint.network.dynamic_layers())
    assert {check.name for check in report.checks} >= {"checkpoint", "top-1", "attention", "random input"}
    assert all(check.status == "passed" for check in report.checks)
    json.dumps(report.to_dict(), allow_nan=False)


@pytest.mark.slow
@pytest.mark.parametrize("batch", ["dynamic", 3])
def test_images_do_not_depend_on_their_batch(artifact_of: Callable[..., Made], batch: int | str) -> None:
    good = artifact_of("onnx", SMALL, batch)
    report = check_parity(good.path, good.checkpoint, limit=20)
    assert report.verdict == "passed", report.sentence
    assert [row.batch for row in report.batches] == ([3, 8] if batch == "dynamic" else [3])
    assert len(report.attention) == 27


@pytest.mark.parametrize(
    "spec",
    [
        replace(SMALL, conv="static"),
        pytest.param(replace(SMALL, arch="mobilenet_v3_small", width=0.5, select="cgr-max"), marks=pytest.mark.slow),
        pytest.param(replace(SMALL, arch="mobilenet_v2", width=0.35, conv="dynet"), marks=pytest.mark.slow),
    ],
    ids=lambda spec: spec.name,
)
def test_other_networks(artifact_of: Callable[..., Made], spec: object) -> None:
    good = artifact_of("onnx", spec)
    report = check_parity(good.path, good.checkpoint, limit=60)
    assert report.verdict == "passed", report.sentence
    assert ratio(report) < ParityTolerance().factor / 2


def test_a_file_with_a_softmax_behind_it_is_compared_as_probabilities(
    artifact_of: Callable[..., Made], tmp_path: Path
) -> None:
    good = artifact_of("onnx", replace(SMALL, conv="static"))
    model = onnx.load(str(good.path))
    del model.metadata_props[:]
    (scores,) = model.graph.output
    for node in model.graph.node:
        node.output[:] = [f"{name}/logits" if name == scores.name else name for name in node.output]
    model.graph.node.append(onnx.helper.make_node("Softmax", [f"{scores.name}/logits"], [scores.name], axis=1))
    onnx.save(model, str(tmp_path / "soft.onnx"))
    report = check_parity(tmp_path / "soft.onnx", good.checkpoint, limit=10)
    assert report.passed, report.sentence
    assert "compared as probabilities" in next(c.message for c in report.checks if c.name.startswith("output"))
    assert not check_parity(good.path, good.checkpoint, limit=10).checks[1].message.endswith("softmax")


# a temperature of 1 and choices made from the data: some images are thousands of times worse conditioned than others
SHARP = replace(SMALL, width=0.5, seed=0, select="cgr-max", temperature=1.0)


@pytest.mark.slow
def test_an_ill_conditioned_network_is_not_called_wrong(artifact_of: Callable[..., Made]) -> None:
    good = artifact_of("onnx", SHARP)
    report = check_parity(good.path, good.checkpoint)
    assert report.verdict == "passed", report.sentence
    assert report.ill_conditioned > 0


@pytest.mark.slow
def test_and_still_found_out_when_it_is(artifact_of: Callable[..., Made], tmp_path: Path) -> None:
    good = artifact_of("onnx", SHARP)
    layer = "blocks.3.pointwise.conv"
    broken = break_artifact(good.path, tmp_path / "broken.onnx", "expert", layer)
    report = check_parity(broken, good.checkpoint, limit=20)
    assert report.verdict == "failed"
    assert report.first_divergence is not None
    assert report.first_divergence.layer == layer
