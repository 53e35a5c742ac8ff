"""The layers of a static network in order of execution, each with what another library calls it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from eamdeploy.networks.architectures.mobilenet_v1 import SeparableBlock
from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.layers.blocks import ConvBnAct, SqueezeExcite
from eamdeploy.networks.layers.inverted import InvertedResidual


@dataclass(frozen=True)
class ConvNames:
    """A convolution with its batch norm: our path, and the two names of the other library without their last part."""

    path: str
    conv: str
    norm: str


@dataclass(frozen=True)
class LinearNames:
    """A linear layer (or 1x1 convolution with a bias): our path and the other library's name."""

    path: str
    name: str


LayerNames = ConvNames | LinearNames


@dataclass(frozen=True)
class Block:
    """One block of a network.

    Attributes:
        path: our module path.
        index: position among the blocks.
        kind: ``separable``, ``inverted`` or ``plain`` (a convolution alone).
        expands: whether an inverted block widens its input first.
        gated: whether it has a squeeze-and-excite gate.
    """

    path: str
    index: int
    kind: str
    expands: bool
    gated: bool


def blocks_of(network: Network) -> Iterator[Block]:
    """The blocks in order."""
    for index, module in enumerate(network.blocks):
        path = f"blocks.{index}"
        if isinstance(module, SeparableBlock):
            yield Block(path, index, "separable", False, False)
        elif isinstance(module, InvertedResidual):
            yield Block(path, index, "inverted", _is_conv(module.expand), isinstance(module.gate, SqueezeExcite))
        else:
            yield Block(path, index, "plain", False, False)


def has_hidden(network: Network) -> bool:
    """Whether a linear layer lies between the pooled features and the classifier."""
    return isinstance(network.head, nn.Sequential)


def _is_conv(module: nn.Module) -> bool:
    return isinstance(module, ConvBnAct)
