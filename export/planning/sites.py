"""Where a network's dynamic convolutions stand: their paths, and the maps they see at a given input size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from eamdeploy.networks.layers.mixed_conv import MixedConv2d
from eamdeploy.networks.layers.rewritten import LowRankConv2d
from export.lowerings.base import LayerSite
from export.rewrites.low_rank import FactoredSite


def find_sites(network: nn.Module, input_shape: tuple[int, int, int]) -> list[LayerSite]:
    """Every dynamic convolution in order of execution, for an image of ``input_shape`` (C, H, W)."""
    return [site for site in find_all_sites(network, input_shape) if isinstance(site, LayerSite)]


def find_all_sites(network: nn.Module, input_shape: tuple[int, int, int]) -> list[LayerSite | FactoredSite]:
    """The same, and the layers that a rewrite has factored."""
    kinds = (MixedConv2d, LowRankConv2d)
    names = {module: name for name, module in network.named_modules() if isinstance(module, kinds)}
    sites: list[LayerSite | FactoredSite] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        input_hw = (int(inputs[0].shape[2]), int(inputs[0].shape[3]))
        if isinstance(module, MixedConv2d):
            sites.append(LayerSite(names[module], module, input_hw))
        elif isinstance(module, LowRankConv2d):
            sites.append(FactoredSite(names[module], module, input_hw))

    hooks = [module.register_forward_pre_hook(note) for module in names]
    training = network.training
    dtype = next(network.parameters()).dtype
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, *input_shape, dtype=dtype))
    finally:
        for hook in hooks:
            hook.remove()
        network.train(training)
    return sites
