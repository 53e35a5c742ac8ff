"""Imported networks through the whole of export: every runtime's form, any batch, int8, constant weights, without their code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import eamdeploy
from eamdeploy.base.errors import UsageError
from eamdeploy.data import embedded_sample
from eamdeploy.networks.checkpoint import Checkpoint
from eamdeploy.pipeline.export import ExportedArtifact, ExportOptions
from eamdeploy.training.importing.network.session import import_network
from tests.eamdeploy.training.importing.foreign_layers import foreign_network

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checkpoint]:
    """Imported networks on disk, by body."""
    folder = tmp_path_factory.mktemp("imported")
    names = ("omni-full", "omni-depthwise", "shared", "hyper", "warehouse", "looped", "modulated")
    classes = embedded_sample().classes
    return {
        name: import_network(foreign_network(name), (3, 24, 32), name=name, classes=classes)
        .save(folder / name)
        .checkpoint
        for name in names
    }


def export(checkpoint: Checkpoint, out: Path, form: str = "onnx", **options: object) -> ExportedArtifact:
    """One verified artifact."""
    artifacts = eamdeploy.export(checkpoint, out, formats=form, options=ExportOptions(images=12, **options))
    assert isinstance(artifacts[0], ExportedArtifact)
    assert artifacts[0].parity.passed
    return artifacts[0]


@pytest.mark.parametrize("name", ["omni-full", "omni-depthwise", "shared", "hyper", "warehouse", "modulated"])
@pytest.mark.parametrize("batch", [1, 3, "dynamic"])
def test_onnx_at_any_batch(name: str, batch: int | str, checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    export(checkpoints[name], tmp_path, batch=batch)


@pytest.mark.parametrize("name", ["omni-full", "shared", "hyper", "modulated"])
def test_tflite(name: str, checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    pytest.importorskip("litert_torch", reason="the TFLite converter is not installed")
    export(checkpoints[name], tmp_path, "tflite")


def test_a_network_that_loops_over_images_has_a_fixed_batch(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    export(checkpoints["looped"], tmp_path)
    with pytest.raises(UsageError, match="goes through its images one by one"):
        export(checkpoints["looped"], tmp_path, batch="dynamic")


def test_int8_of_sigmoid_mixed_kernels(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    sample = embedded_sample()
    for index in range(40):
        place = tmp_path / "images" / sample.classes[sample.label(index)] / f"{index}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        sample.image(index).save(place)
    (artifact,) = eamdeploy.export(
        checkpoints["shared"], tmp_path / "build", precisions="int8", calibration=tmp_path / "images"
    )
    assert not isinstance(artifact, ExportedArtifact)
    int8_layers = set(artifact.report.written.int8_layers)
    assert {"body.conv", "body.conv2", "body.conv3"} <= int8_layers


def test_constant_weights_are_looked_for_in_the_file(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    artifacts = export(checkpoints["shared"], tmp_path, constant_weights=True)
    assert set(artifacts.plan.lowerings().values()) <= {"experts", "inputs"}
    manifest = json.loads(artifacts.manifest.read_text(encoding="utf-8"))
    assert manifest["artifacts"][0]["constant_weights"] is True
    with pytest.raises(UsageError, match="has a computed weight"):
        export(checkpoints["hyper"], tmp_path / "other", constant_weights=True)
    with pytest.raises(UsageError, match="no form with constant weights"):
        export(checkpoints["omni-full"], tmp_path / "other", constant_weights=True)


def test_describe_and_attention_know_the_layers(checkpoints: dict[str, Checkpoint]) -> None:
    counted = eamdeploy.describe(checkpoints["shared"])
    assert sum(layer.kind.startswith("dynamic") for layer in counted.layers) == 3
    x = torch.from_numpy(np.zeros((2, 3, 24, 32), np.float32))
    assert checkpoints["shared"].network(x).shape == (2, 10)


def test_a_budget_collapses_layers_of_an_imported_network(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    sample = embedded_sample()
    for index in range(60):
        place = tmp_path / "images" / sample.classes[sample.label(index)] / f"{index}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        sample.image(index).save(place)
    (artifact,) = eamdeploy.export(
        checkpoints["shared"],
        tmp_path / "build",
        calibration=tmp_path / "images",
        budget=100.0,
        options=ExportOptions(images=12),
    )
    assert isinstance(artifact, ExportedArtifact)
    assert artifact.parity.passed
    assert artifact.budget is not None
    kinds = {layer["choice"]["kind"] for layer in artifact.budget["layers"]}
    assert kinds == {"collapse"}
    rewritten = eamdeploy.load(tmp_path / "build" / "shared.rewritten.safetensors")
    assert not eamdeploy.describe(rewritten).macs.aggregation
