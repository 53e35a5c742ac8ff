"""Layers of strangers: attentions of every kind are bounded, unusual operators are decomposed, packed answers are unpacked."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from eamdeploy.networks.layers.mixed_conv import MixedConv2d
from eamdeploy.training.importing.network.session import import_network
from tests.eamdeploy.training.importing.foreign_layers import ForeignNetwork, SharedRouting
from tests.eamdeploy.training.importing.stranger_layers import BODIES, AttendedConv2d

# by attention: convex, the sum of magnitudes, signed
BOUNDS = {
    "two-best": (False, 1.0, False),
    "hard": (False, 4.0, False),
    "relu-guarded": (False, 1.0, False),
    "l1-normalised": (False, 1.0, True),
    "l2-normalised": (False, None, True),
    "tanh": (False, 4.0, True),
    "one-plus-tanh": (False, 5.0, True),
    "clamped": (False, 4.0, False),
    "six": (False, None, True),  # a code for mixing weights ends at 1
    "exponentials": (True, 1.0, False),
    "log-softmax": (True, 1.0, False),
    "sigmoids-summed": (True, 1.0, False),
}
# by body: form and bound of its layers
FOUND = {
    "warehouse": [("mixed", 1.0)],
    "vmap": [("mixed", 3.0)],
    "diagonal": [("mixed", 9.0)],
    "standardised": [("computed", None)],
    "recurrent": [],
}


def brought_in(body: nn.Module, channels: int) -> Any:
    torch.manual_seed(0)
    return import_network(ForeignNetwork(body, channels).eval(), torch.randn(3, 3, 16, 16))


@pytest.mark.parametrize("kind", BOUNDS)
def test_whatever_bounds_mixing_weights_is_known(kind: str) -> None:
    imported = brought_in(AttendedConv2d(16, 8, kind), 8)
    ((_, layer),) = imported.rewritten.network.dynamic_layers().items()
    bounds = layer.bounds
    assert (bounds.convex, bounds.l1, bounds.signed) == BOUNDS[kind]


@pytest.mark.parametrize("name", BODIES)
def test_unusual_operators_have_a_form(name: str) -> None:
    imported = brought_in(*BODIES[name]())
    layers = imported.rewritten.network.dynamic_layers()
    layer_facts = [
        (layer.form, layers[layer.path].bounds.l1 if layer.path in layers else None)
        for layer in imported.rewritten.layers
    ]
    assert layer_facts == FOUND[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    ["l1-normalised", "relu-guarded", "tanh", "one-plus-tanh", "clamped", "sigmoids-summed"],
)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_kernel_is_larger_than_its_law(kind: str, data: st.DataObject) -> None:
    layer, alpha = _LAYERS.setdefault(kind, _layer_and_attention(kind))
    # below -700 sigmoids are 0 in float64 as well, and their quotient is no number in the user's own code
    scores = torch.tensor([data.draw(st.lists(st.floats(-600, 600), min_size=4, max_size=4))], dtype=torch.float64)
    kernel = torch.einsum("bk,kocij->ocij", alpha(scores), layer.bank.double())
    assert layer.bounds.kernel is not None
    limit = layer.bounds.kernel * layer.bank.double().abs().amax(dim=(0, 2, 3, 4))
    assert bool((kernel.abs().amax(dim=(1, 2, 3)) <= limit * (1 + 1e-6)).all())


_LAYERS: dict[str, tuple[MixedConv2d, Any]] = {}


def _layer_and_attention(kind: str) -> tuple[MixedConv2d, Any]:
    """The layer that was found, and what its weights are for scores: the constant kernel's is 1."""
    from tests.eamdeploy.training.importing.stranger_layers import ATTENTIONS

    imported = brought_in(AttendedConv2d(16, 8, kind), 8)
    ((_, layer),) = imported.rewritten.network.dynamic_layers().items()

    def weights(scores: Tensor) -> Tensor:
        alpha = ATTENTIONS[kind](scores)
        if kind == "one-plus-tanh":  # the kernel that is not mixed holds the 1, and the bank the 0.1
            return torch.cat([torch.tanh(scores), torch.ones_like(scores[:, :1])], dim=1)
        return alpha

    return layer, weights


class Packed(nn.Module):
    """A network that packs its scores up."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.network, self.kind = ForeignNetwork(SharedRouting(16, 24), 16), kind

    def forward(self, x: Tensor) -> Any:
        scores = self.network(x)
        return {"dictionary": {"logits": scores}, "tuple": (scores,), "list": [scores, None]}[self.kind]


@pytest.mark.parametrize("kind", ["dictionary", "tuple", "list"])
def test_one_packed_tensor_is_taken_out(kind: str) -> None:
    torch.manual_seed(0)
    network = Packed(kind).eval()
    imported_network = import_network(network, torch.randn(3, 3, 16, 16))
    x = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.allclose(imported_network.rewritten.network(x), network.network(x), atol=1e-5)
    assert len(imported_network.rewritten.layers) == 3
