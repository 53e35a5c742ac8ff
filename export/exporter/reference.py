"""What every layer of a network gives for some images: the values that an artifact's named tensors are compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from eamdeploy.networks.layers.blocks import ConvBnAct
from eamdeploy.networks.layers.mixed_conv import MixedConv2d
from eamdeploy.networks.layers.rewritten import LowRankConv2d
from eamdeploy.networks.program.network import ProgramNetwork
from export.lowerings.base import LoweredConv
from export.lowerings.fold_program import norm_pairs


def convolution_layers(network: nn.Module) -> tuple[str, ...]:
    """Paths of every backbone convolution, static, dynamic or lowered, and of the linear layers outside attentions."""
    kinds = (MixedConv2d, LowRankConv2d, LoweredConv, nn.Conv2d)
    inside = tuple(
        f"{name}."
        for name, module in network.named_modules()
        if isinstance(module, (MixedConv2d, LowRankConv2d, LoweredConv))
    )
    return tuple(
        name
        for name, module in network.named_modules()
        if isinstance(module, (*kinds, nn.Linear)) and not name.startswith(inside)
    )


def attention_paths(network: nn.Module) -> dict[str, str]:
    """For layers whose mixing weights are given to them and that still mix, the path of the module that gives them."""
    if not isinstance(network, ProgramNetwork):
        return {}
    return {
        path: source
        for path, source in network.attentions.items()
        if isinstance(network.get_submodule(path), (MixedConv2d, LoweredConv))
    }


def attention_layers(network: nn.Module) -> dict[str, nn.Module]:
    """By dynamic layer, the module whose output its mixing weights are: its own attention, or one that several share."""
    if isinstance(network, ProgramNetwork):
        return {path: network.get_submodule(source) for path, source in attention_paths(network).items()}
    layers = {}
    for path, module in network.named_modules():
        attention = getattr(module, "attention", None)
        if isinstance(attention, nn.Module):
            layers[path] = attention
    return layers


def convolution_outputs(network: ProgramNetwork) -> dict[str, tuple[str, ...]]:
    """By convolution of an imported network, the modules at whose outputs a graph may show it: the norm behind it, or itself."""
    pairs = norm_pairs(network)
    kinds = (nn.Conv2d, MixedConv2d, LowRankConv2d)
    convolutions = [name for name, module in network.named_modules() if isinstance(module, kinds)]
    return {name: (pairs.get(name, name),) for name in convolutions}


def mixing_of(network: nn.Module) -> dict[str, dict[str, Any]]:
    """Of layers whose mixing weights do not sum to 1, or whose taps have a gate: what bounds them, and the number of kernels."""
    return {
        path: {
            "l1": layer.bounds.l1,
            "signed": layer.bounds.signed,
            "kernels": layer.kernels,
            **({"taps": layer.bounds.taps} if layer.gated else {}),
        }
        for path, layer in network.named_modules()
        if isinstance(layer, MixedConv2d) and (layer.gated or not layer.bounds.convex)
    }


def layer_values(network: nn.Module, images: Tensor) -> dict[str, dict[str, Tensor]]:
    """Run ``network`` on ``images: (B, C, H, W)`` and keep, by layer path, what ``ExportedFile.tensors`` names.

    Returns:
        ``alpha`` (B, k) of each dynamic layer; ``output`` (B, O, H', W') of each convolution after its batch norm, before its
        activation; ``block`` the same after the activation, by the path of the block. Works on a checkpoint's network and on
        a lowered one.
    """
    values: dict[str, dict[str, Tensor]] = {"alpha": {}, "output": {}, "block": {}}

    def keep(kind: str, path: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            del module, inputs
            values[kind][path] = output.detach()

        return hook

    hooks = []
    followed = set()
    for name, module in network.named_modules():
        prefix = f"{name}." if name else ""
        if isinstance(module, ConvBnAct):
            hooks.append(module.bn.register_forward_hook(keep("output", f"{prefix}conv")))
            hooks.append(module.register_forward_hook(keep("block", name)))
            followed.add(f"{prefix}conv")
    for layer, attention in attention_layers(network).items():
        hooks.append(attention.register_forward_hook(keep("alpha", layer)))
    if isinstance(network, ProgramNetwork):
        for convolution, norm in norm_pairs(network).items():
            hooks.append(network.get_submodule(norm).register_forward_hook(keep("output", convolution)))
            followed.add(convolution)
    hooks.extend(
        network.get_submodule(name).register_forward_hook(keep("output", name))
        for name in convolution_layers(network)
        if name not in followed
    )
    try:
        with torch.no_grad():
            network(images)
    finally:
        for hook in hooks:
            hook.remove()
    return values
