"""The drop-in layer, and networks converted to it: the same function to begin with, trainable, and found again on import."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from eamdeploy.base.errors import UsageError
from eamdeploy.networks import DynamicConv2d, convert
from eamdeploy.networks.layers.mixing_attentions import ATTENTIONS
from eamdeploy.training.importing.network.session import import_network


def static() -> nn.Module:
    """A small network with a full, a depthwise and a pointwise convolution."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 24, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 5),
    ).eval()  # fmt: skip


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_a_converted_network_starts_as_the_same_function_and_is_found_again(attention: str) -> None:
    network = static()
    converted = convert(network, k=3, attention=attention, noise=0)
    assert sum(isinstance(module, DynamicConv2d) for module in converted.modules()) == 3
    x = torch.randn(4, 3, 16, 16)
    assert torch.allclose(converted(x), network(x), atol=1e-5)
    other = convert(network, k=3, attention=attention, noise=0.1)
    imported = import_network(other, torch.randn(3, 3, 16, 16))
    assert [layer.form for layer in imported.rewritten.layers] == ["mixed"] * 3
    assert imported.adapted == ()


def test_it_trains() -> None:
    network = convert(static(), k=2, attention="odconv").train()
    network(torch.randn(4, 3, 16, 16)).square().sum().backward()
    layers = [module for module in network.modules() if isinstance(module, DynamicConv2d)]
    assert all(layer.bank.grad is not None and bool(layer.bank.grad.any()) for layer in layers)


def test_the_layer_takes_what_conv2d_takes() -> None:
    x = torch.randn(2, 8, 11, 13)
    shape = nn.Conv2d(8, 12, (3, 5), (2, 1), (1, 2), (1, 1), 4)(x).shape
    assert DynamicConv2d(8, 12, (3, 5), (2, 1), (1, 2), (1, 1), 4)(x).shape == shape


def test_refusals() -> None:
    with pytest.raises(UsageError, match="unknown attention 'eem'"):
        DynamicConv2d(8, 8, 3, attention="eem")
    with pytest.raises(UsageError, match="no convolution that can become dynamic"):
        convert(nn.Linear(3, 3))
