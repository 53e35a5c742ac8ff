"""Parameters and multiply-accumulates of a network, per layer and by part.

Counted per image: convolutions; **aggregation**, one multiplication per element of the bank (equation 5); **attention**, one
operation per pooled input plus the linear layers; the classifier, with V3's hidden layer before it; V3's channel gates.
Batch norms fold away and activations are not counted. Under this rule DyNet and EAM-DyNet MobileNetV1 x1.0 differ by 6.146 M,
where the paper's table 2 has 6.15 M.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.layers.attention import Attention
from eamdeploy.networks.layers.blocks import SqueezeExcite
from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.layers.mixed_conv import MixedConv2d
from eamdeploy.networks.program.network import ProgramNetwork


@dataclass(frozen=True)
class Macs:
    """Multiply-accumulates of one image, by part."""

    convolution: int = 0
    aggregation: int = 0
    attention: int = 0
    gate: int = 0
    classifier: int = 0

    @property
    def total(self) -> int:
        """All parts."""
        return self.convolution + self.aggregation + self.attention + self.gate + self.classifier

    def __add__(self, other: Macs) -> Macs:
        return Macs(
            self.convolution + other.convolution,
            self.aggregation + other.aggregation,
            self.attention + other.attention,
            self.gate + other.gate,
            self.classifier + other.classifier,
        )

    def to_dict(self) -> dict[str, int]:
        """The parts and their ``total``."""
        return {**vars(self), "total": self.total}


@dataclass(frozen=True)
class LayerComplexity:
    """One convolution, gate or linear layer; shapes are (channels, height, width) of one image."""

    name: str
    kind: str
    input: tuple[int, ...]
    output: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: int
    parameters: int
    macs: Macs


@dataclass(frozen=True)
class Complexity:
    """A network's cost; ``parameters`` includes batch norms, as PyTorch counts."""

    parameters: int
    macs: Macs
    layers: tuple[LayerComplexity, ...]

    @property
    def bytes(self) -> int:
        """Size of the parameters in float32."""
        return 4 * self.parameters

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        layers = [vars(layer) | {"macs": layer.macs.to_dict()} for layer in self.layers]
        return {"parameters": self.parameters, "bytes": self.bytes, "macs": self.macs.to_dict(), "layers": layers}


def _attention_macs(attention: Attention, height: int, width: int) -> int:
    return attention.selected * height * width + attention.fc1.weight.numel() + attention.fc2.weight.numel()


def _layer(name: str, module: nn.Module, x: Tensor, y: Tensor) -> LayerComplexity:
    parameters = sum(parameter.numel() for parameter in module.parameters())
    entry = partial(LayerComplexity, name, input=tuple(x.shape[1:]), output=tuple(y.shape[1:]), parameters=parameters)
    if isinstance(module, MixedConv2d):
        attention = module.attention if isinstance(module, AttentionConv2d) else None
        macs = Macs(
            convolution=module.bank[0].numel() * math.prod(y.shape[2:]),
            aggregation=module.bank.numel(),
            attention=0 if attention is None else _attention_macs(attention, x.shape[2], x.shape[3]),
        )
        kind = _conv_kind(module.kernel_size, module.groups)
        return entry(kind=f"dynamic {kind}", kernel=module.kernel_size, stride=module.stride[0], macs=macs)
    if isinstance(module, nn.Conv2d):
        macs = Macs(convolution=module.weight.numel() * math.prod(y.shape[2:]))
        kernel = (int(module.kernel_size[0]), int(module.kernel_size[1]))
        kind = _conv_kind(kernel, module.groups)
        return entry(kind=kind, kernel=kernel, stride=int(module.stride[0]), macs=macs)
    if isinstance(module, SqueezeExcite):
        macs = Macs(gate=math.prod(x.shape[1:]) * 2 + module.fc1.weight.numel() + module.fc2.weight.numel())
        return entry(kind="gate", kernel=(), stride=1, macs=macs)
    return entry(kind="linear", kernel=(), stride=1, macs=Macs(classifier=parameters - y.shape[1]))


def _conv_kind(kernel: tuple[int, int], groups: int) -> str:
    if groups > 1:
        return "depthwise"
    return "pointwise" if kernel == (1, 1) else "full"


@contextmanager
def _recorded(network: Network | ProgramNetwork, layers: list[LayerComplexity]) -> Iterator[None]:
    handles = []
    inner: set[nn.Module] = set()
    for name, module in network.named_modules():
        if module in inner or not isinstance(module, (MixedConv2d, nn.Conv2d, SqueezeExcite, nn.Linear)):
            continue
        # a dynamic layer's or a gate's own linear layers are part of it
        inner.update(module.modules())

        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor, name: str = name) -> None:
            layers.append(_layer(name, module, inputs[0], output))

        handles.append(module.register_forward_hook(hook))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def measure_complexity(network: Network | ProgramNetwork) -> Complexity:
    """Count ``network`` at its spec's input size."""
    spec, layers = network.spec, list[LayerComplexity]()
    with _recorded(network, layers):
        network(torch.zeros(1, *spec.input_shape))
    total = sum((layer.macs for layer in layers), Macs())
    return Complexity(sum(parameter.numel() for parameter in network.parameters()), total, tuple(layers))
