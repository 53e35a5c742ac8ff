"""timm's CondConv EfficientNet and a static MobileNetV3, by their factories: imported, exported, verified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import eamdeploy
from eamdeploy.pipeline.export import ExportedArtifact, ExportOptions
from tests.foreign.timm_package import timm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def network(name: str) -> Any:
    """With random weights, and batch norms that have seen something."""
    package = timm()
    torch.manual_seed(0)
    model = package.create_model(name, pretrained=False, num_classes=10)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model.eval()


def test_condconv_is_24_mixed_layers_under_8_attentions(tmp_path: Path) -> None:
    checkpoint = eamdeploy.import_network(network("efficientnet_cc_b0_4e"), (3, 64, 64), path=tmp_path / "cc")
    report = checkpoint.meta["imported"]
    assert [layer["form"] for layer in report["layers"]] == ["mixed"] * 24
    assert max(report["proof"].values()) < 1e-12
    assert len(set(checkpoint.network.attentions.values())) == 8
    for batch in (1, 4):
        options = ExportOptions(images=8, batch=batch, name=f"cc-{batch}")
        (artifact,) = eamdeploy.export(checkpoint, tmp_path, options=options)
        assert isinstance(artifact, ExportedArtifact)
        assert artifact.parity.passed
        assert artifact.parity.attention


def test_a_static_classifier_goes_the_same_way(tmp_path: Path) -> None:
    checkpoint = eamdeploy.import_network(network("mobilenetv3_small_050"), (3, 64, 64), path=tmp_path / "v3")
    assert checkpoint.meta["imported"]["layers"] == []
    assert checkpoint.preprocessing["interpolation"] == "bicubic"  # as its pretrained_cfg has it
    (artifact,) = eamdeploy.export(checkpoint, tmp_path, options=ExportOptions(images=8))
    assert isinstance(artifact, ExportedArtifact)
    assert artifact.parity.passed
