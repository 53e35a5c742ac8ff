"""Turn a static network into a dynamic one that starts as the same function.

Every kernel of a bank starts from the static kernel plus small noise. The attention is convex, so whatever it says, the
mixed kernel lies within the noise of the static one; the noise lets the kernels part in training.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from eamdeploy.networks.architectures.build import build
from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.spec import ArchSpec


@torch.no_grad()
def warm_start(static: Network, spec: ArchSpec, noise: float = 0.002) -> Network:
    """A network of ``spec`` (``dynet`` or ``eam``) that starts from ``static``'s weights.

    Args:
        noise: standard deviation of what is added to each kernel, relative to the root mean square of its output channel.
    """
    network = build(replace(spec, activation=static.spec.activation, padding=static.spec.padding))
    generator = torch.Generator().manual_seed(spec.seed)
    sources = dict(static.named_modules())
    for name, layer in network.dynamic_layers().items():
        source = sources[name]
        if not isinstance(source, nn.Conv2d):
            raise TypeError(f"{name} is no convolution in the static network")
        _fill_bank(layer, source, noise, generator)
    shared = set(network.state_dict()) & set(static.state_dict())
    network.load_state_dict({name: static.state_dict()[name] for name in shared}, strict=False)
    return network.eval()


def _fill_bank(layer: AttentionConv2d, source: nn.Conv2d, noise: float, generator: torch.Generator) -> None:
    # relative to each output channel: folded depthwise kernels differ in scale by orders of magnitude within a layer
    spread = noise * source.weight.flatten(1).square().mean(1).sqrt()[:, None, None, None]
    layer.bank.copy_(source.weight + spread * torch.randn(layer.bank.shape, generator=generator))
