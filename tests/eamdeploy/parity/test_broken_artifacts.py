"""An artifact broken in one layer fails, and the layer that is named is the one that was broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eamdeploy.parity import check_parity
from tests.eamdeploy.parity.artifact_breaking import break_artifact
from tests.eamdeploy.parity.parity_artifacts import Made

# the conversion to TFLite alone takes longer than all else here
FORMATS = ("onnx", pytest.param("tflite", marks=pytest.mark.slow))
# early, in the middle and last; depthwise and pointwise
LAYERS = ("blocks.0.pointwise.conv", "blocks.6.depthwise.conv", "blocks.12.pointwise.conv")


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(("how", "part"), [("expert", "output"), ("gather", "attention"), ("temperature", "attention")])
@pytest.mark.parametrize("fmt", FORMATS)
def test_the_broken_layer_is_named(
    *, artifact_of: Callable[..., Made], tmp_path: Path, fmt: str, how: str, part: str, layer: str
) -> None:
    good = artifact_of(fmt)
    broken = break_artifact(good.path, tmp_path / f"broken.{fmt}", how, layer)
    report = check_parity(broken, good.checkpoint, limit=20)
    assert report.verdict == "failed"
    assert report.first_divergence is not None
    assert (report.first_divergence.layer, report.first_divergence.part) == (layer, part)
    assert layer in report.sentence


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_stem_is_named_too(artifact_of: Callable[..., Made], tmp_path: Path, fmt: str) -> None:
    good = artifact_of(fmt)
    broken = break_artifact(good.path, tmp_path / f"broken.{fmt}", "expert", "stem.conv")
    report = check_parity(broken, good.checkpoint, limit=10)
    assert report.first_divergence is not None
    assert report.first_divergence.layer == "stem.conv"
    assert report.first_divergence.agreeing == 0


def test_names_in_the_metadata_are_not_needed(artifact_of: Callable[..., Made], tmp_path: Path) -> None:
    """A converter may lose every name: values and the order of the softmaxes are enough."""
    import json

    import onnx

    good = artifact_of("onnx")
    layer = LAYERS[1]
    for how in ("expert", "temperature"):
        broken = break_artifact(good.path, tmp_path / f"{how}.onnx", how, layer)
        model = onnx.load(str(broken))
        entry = next(entry for entry in model.metadata_props if entry.key == "eamdeploy")
        entry.value = json.dumps(json.loads(entry.value) | {"tensors": {}})
        onnx.save(model, str(broken))
        report = check_parity(broken, good.checkpoint, limit=10)
        assert report.first_divergence is not None
        assert report.first_divergence.layer == layer
