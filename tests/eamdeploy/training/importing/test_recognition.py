"""Dynamic convolutions of other people are found in the graph, whatever way they are written, and proven equal."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from eamdeploy.networks.checkpoint import load_checkpoint
from eamdeploy.networks.layers.mixed_conv import MixedConv2d
from eamdeploy.training.importing.network.session import ImportedNetwork, import_network
from tests.eamdeploy.training.importing.foreign_layers import BODIES, PlainDynamicConv2d, foreign_network

# by body: form, bank and what bounds the mixing weights of each dynamic layer
FOUND = {
    "plain-full": [("mixed", (4, 24, 16, 3, 3), 1.0)],
    "plain-pointwise": [("mixed", (4, 24, 16, 1, 1), 1.0)],
    "plain-depthwise": [("mixed", (4, 16, 1, 5, 5), 1.0)],
    "plain-grouped": [("mixed", (4, 32, 4, 3, 3), 1.0)],
    "omni-full": [("mixed", (4, 24, 16, 3, 3), 1.0)],
    "omni-pointwise": [("mixed", (4, 24, 16, 1, 1), 1.0)],
    "omni-depthwise": [("mixed", (4, 16, 1, 3, 3), 1.0)],
    "omni-one-kernel": [("mixed", (1, 24, 16, 3, 3), 1.0)],
    "omni-one-pointwise": [],
    "context": [("mixed", (4, 24, 16, 1, 1), 1.0), ("mixed", (8, 24, 1, 3, 3), 1.0)],
    "warehouse": [("mixed", (24, 16, 16, 3, 3), 1.0), ("computed", (32, 16, 3, 3), None)],
    "frequency": [],
    "hyper": [("computed", (8, 16, 3, 3), None)],
    "looped": [("mixed", (4, 24, 16, 3, 3), 4.0)],
    "modulated": [("gated", (1, 24, 16, 3, 3), None)],
    "added": [("mixed", (4, 24, 4, 3, 3), 2.0)],
    "shared": [("mixed", (4, 32, 16, 1, 1), 4.0), ("mixed", (4, 32, 1, 3, 3), 4.0), ("mixed", (4, 16, 32, 1, 1), 4.0)],
}


def imported(name: str) -> ImportedNetwork:
    """``BODIES[name]`` brought in on noise."""
    return import_network(foreign_network(name), torch.randn(3, 3, 20, 24), name=name)


@pytest.mark.parametrize("name", BODIES)
def test_every_layer_is_found_and_the_checkpoint_needs_no_code(name: str, tmp_path: Path) -> None:
    imported_network = imported(name)
    assert max(imported_network.rewritten.proof.errors.values()) < 1e-12
    layers = imported_network.rewritten.network.dynamic_layers()
    layer_facts = [
        (layer.form, layer.shape, layers[layer.path].bounds.l1 if layer.path in layers else None)
        for layer in imported_network.rewritten.layers
    ]
    assert layer_facts == FOUND[name]
    imported_network.save(tmp_path / "net.safetensors")
    loaded = load_checkpoint(tmp_path / "net.safetensors")
    x = torch.randn(4, 3, 20, 24)
    with torch.no_grad():
        assert torch.allclose(loaded.network(x), foreign_network(name)(x), atol=1e-5)


def test_one_attention_can_serve_several_layers() -> None:
    sources = set(imported("shared").rewritten.network.attentions.values())
    assert len(sources) == 1


def test_the_line_of_the_users_code_is_named() -> None:
    (layer,) = imported("plain-full").rewritten.layers
    assert layer.where.startswith("foreign_layers.py:")


def test_a_temperature_that_no_weights_hold_is_told() -> None:
    (number,) = imported("plain-full").unstored
    assert (number.attribute, number.value, number.layers) == ("SoftmaxAttention.temperature", 34, 1)
    assert number.moves is not None
    assert number.moves > 0


class Rows(nn.Module):
    """A 1-D network with a dynamic layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv1d(2, 8, 5, padding=2), nn.BatchNorm1d(8)
        self.route, self.bank = nn.Linear(8, 3), nn.Parameter(torch.randn(3, 12, 8, 3))
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn(self.conv(x)))
        alpha = self.route(x.mean(2)).softmax(1)
        kernels = torch.einsum("bk,koci->boci", alpha, self.bank).flatten(0, 1)
        y = nn.functional.conv1d(x.reshape(1, -1, x.shape[2]), kernels, padding=1, groups=len(x))
        return self.head(y.view(len(x), 12, -1).mean(2))


def test_one_dimension_is_carried_as_two() -> None:
    network = Rows().eval()
    imported_network = import_network(network, (2, 40))
    assert imported_network.rewritten.network.spec.input_shape == (2, 1, 40)
    ((_, layer),) = imported_network.rewritten.network.dynamic_layers().items()
    assert isinstance(layer, MixedConv2d)
    assert layer.kernel_size == (1, 3)
    x = torch.randn(2, 2, 40)
    with torch.no_grad():
        assert torch.allclose(imported_network.rewritten.network(x.unsqueeze(2)), network(x), atol=1e-5)


def test_the_users_module_stays_as_it_was() -> None:
    network = PlainDynamicConv2d(3, 4, 3).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    import_network(nn.Sequential(network, nn.AdaptiveAvgPool2d(1), nn.Flatten()), torch.randn(3, 3, 8, 8))
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_overlapping_pooling_cells_become_constant_matrices() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d((5, 3)), nn.Flatten(), nn.Linear(60, 2)).eval()
    imported_network = import_network(network, torch.randn(3, 3, 19, 16))
    assert "matmul.default" in {step.operator for step in imported_network.rewritten.network.instructions}
