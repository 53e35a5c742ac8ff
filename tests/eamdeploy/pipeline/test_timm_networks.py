"""timm's CondConv EfficientNet and a static MobileNetV3, by their factories: imported, exported, verified."""

from __future__ import annotations

from pathlib import Path

import pytest

import eamdeploy
from eamdeploy.pipeline.export import ExportedArtifact, ExportOptions
from tests.foreign.fitted_timm import timm_network

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def test_condconv_is_24_mixed_layers_under_8_attentions(tmp_path: Path) -> None:
    checkpoint = eamdeploy.import_network(timm_network("efficientnet_cc_b0_4e"), (3, 64, 64), path=tmp_path / "cc")
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
    checkpoint = eamdeploy.import_network(timm_network("mobilenetv3_small_050"), (3, 64, 64), path=tmp_path / "v3")
    assert checkpoint.meta["imported"]["layers"] == []
    assert checkpoint.preprocessing["interpolation"] == "bicubic"  # as its pretrained_cfg has it
    (artifact,) = eamdeploy.export(checkpoint, tmp_path, options=ExportOptions(images=8))
    assert isinstance(artifact, ExportedArtifact)
    assert artifact.parity.passed
