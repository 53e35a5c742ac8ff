"""However a dynamic convolution is spelled, it is found and proven, and its files answer as it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import eamdeploy
from eamdeploy.base.errors import DataError
from eamdeploy.pipeline.export import ExportedArtifact, ExportOptions
from eamdeploy.training.importing.network.session import import_network
from tests.eamdeploy.training.importing.foreign_layers import ForeignNetwork
from tests.eamdeploy.training.importing.spellings import SPELLINGS, AudioNetwork, ChannelsFirstConv2d

SHAPE = (3, 20, 28)


def network(layer: Any) -> nn.Module:
    torch.manual_seed(0)
    return ForeignNetwork(layer(16, 16), 16).eval()


@pytest.mark.slow
@pytest.mark.parametrize("layer", SPELLINGS)
def test_a_layer_is_found_however_it_is_spelled(layer: type[nn.Module]) -> None:
    rewritten = import_network(network(layer), torch.randn(3, *SHAPE)).rewritten
    assert max(rewritten.proof.errors.values()) < 1e-12
    bounds = {path: mixed.bounds.l1 for path, mixed in rewritten.network.dynamic_layers().items()}
    assert [(each.form, each.shape, bounds.get(each.path)) for each in rewritten.layers] == SPELLINGS[layer]


def test_a_picked_kernel_is_told_what_would_be_mixed() -> None:
    (picking,) = (layer for layer in SPELLINGS if layer.__name__ == "PickConv2d")
    (found_layer,) = import_network(network(picking), SHAPE).rewritten.layers
    assert "picked by index" in found_layer.note


def test_images_that_meet_in_a_folded_batch_are_refused() -> None:
    with pytest.raises(DataError, match=r"depends on the others of its batch.*in a batch of 2"):
        import_network(network(ChannelsFirstConv2d), SHAPE)


def test_one_attention_from_the_input_serves_two_layers_of_rows() -> None:
    torch.manual_seed(0)
    rewritten = import_network(AudioNetwork().eval(), (1, 200)).rewritten
    assert [layer.shape for layer in rewritten.layers] == [(3, 12, 1, 1, 5), (3, 20, 12, 1, 1)]
    assert len(set(rewritten.network.attentions.values())) == 1


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "tflite"])
@pytest.mark.parametrize("layer", SPELLINGS)
def test_the_files_answer_as_the_network(layer: type[nn.Module], form: str, tmp_path: Path) -> None:
    checkpoint = eamdeploy.import_network(network(layer), SHAPE, path=tmp_path / "net")
    (artifact,) = eamdeploy.export(checkpoint, tmp_path, formats=form, options=ExportOptions(images=6))
    assert isinstance(artifact, ExportedArtifact)
    assert artifact.parity.passed
