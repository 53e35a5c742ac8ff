"""The network in other precisions: float64 as the exact reference, rounded to float16 as a model of fp16."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.layers.mixed_conv import MixedConv2d


def widen(network: nn.Module) -> nn.Module:
    """A float64 copy in evaluation mode.

    Depthwise convolutions become shifted multiply-adds: PyTorch has no fast float64 kernel for them on a CPU.
    """
    wide = copy.deepcopy(network).eval().double()
    for path, module in list(wide.named_modules()):
        if isinstance(module, (AttentionConv2d, nn.Conv2d)) and _depthwise(module):
            wide.set_submodule(path, DepthwiseTaps(module))
    return wide.requires_grad_(False)


def round_to_half(network: nn.Module) -> nn.Module:
    """A float32 copy whose weights, and the outputs of whose layers, are rounded to float16."""
    rounded = copy.deepcopy(network).eval().requires_grad_(False)
    for parameter in rounded.parameters():
        parameter.copy_(parameter.half().float())
    for module in rounded.modules():
        if isinstance(module, MixedConv2d) or not any(True for _ in module.children()):
            module.register_forward_hook(_round_output)
    return rounded


def perturb(network: nn.Module, unit: float, seed: int = 0) -> nn.Module:
    """A float64 copy in which every weight and every layer's result is off by about ``unit``, relative and at random.

    Another draw of the same rounding: on an image where a network is ill-conditioned, one float32 run may be exact by luck.
    The weights stand for the products that a layer sums: where these cancel, the sum is off by far more than ``unit``.
    """
    wide = widen(network)
    generator = torch.Generator().manual_seed(seed)
    for parameter in wide.parameters():
        parameter.mul_(1 + unit * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))

    def hook(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        del module, inputs
        return output * (1 + unit * torch.randn(output.shape, generator=generator, dtype=output.dtype))

    for module in wide.modules():
        if isinstance(module, (MixedConv2d, DepthwiseTaps)) or not any(True for _ in module.children()):
            module.register_forward_hook(hook)
    return wide


def _round_output(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    del module, inputs
    return output.half().float()


def _depthwise(module: AttentionConv2d | nn.Conv2d) -> bool:
    return module.groups == module.in_channels == module.out_channels and module.groups > 1


class DepthwiseTaps(nn.Module):
    """A depthwise convolution, static or dynamic: ``(B, C, H, W) -> (B, C, H', W')``."""

    def __init__(self, layer: AttentionConv2d | nn.Conv2d) -> None:
        super().__init__()
        self.attention: nn.Module | None = None
        if isinstance(layer, AttentionConv2d):
            self.attention = layer.attention
            bank: Tensor = layer.bank
            bias: Tensor | None = layer.bias
        else:
            bank, bias = layer.weight[None], None if layer.bias is None else layer.bias[None]
        self.bank, self.bias = bank.flatten(2), bias  # (k, C, kh kw)
        self.kernel_size = (int(layer.kernel_size[0]), int(layer.kernel_size[1]))
        self.stride = (int(layer.stride[0]), int(layer.stride[1]))
        self.dilation = (int(layer.dilation[0]), int(layer.dilation[1]))
        self.padding = (int(layer.padding[0]), int(layer.padding[1]))

    def forward(self, x: Tensor) -> Tensor:
        """Sum the shifted maps, each times its weight per image and channel."""
        alpha = x.new_ones(len(x), 1) if self.attention is None else self.attention(x)
        weight = torch.einsum("bk,kct->tbc", alpha, self.bank)[..., None, None]
        (top, left), (height, width) = self.padding, self.kernel_size
        x = nn.functional.pad(x, (left, left, top, top))
        rows = (x.shape[2] - self.dilation[0] * (height - 1) - 1) // self.stride[0] + 1
        columns = (x.shape[3] - self.dilation[1] * (width - 1) - 1) // self.stride[1] + 1
        y = x.new_zeros(x.shape[0], x.shape[1], rows, columns)
        for tap in range(height * width):
            v, h = tap // width * self.dilation[0], tap % width * self.dilation[1]
            shifted = x[:, :, v : v + (rows - 1) * self.stride[0] + 1 : self.stride[0]]
            y.addcmul_(shifted[..., h : h + (columns - 1) * self.stride[1] + 1 : self.stride[1]], weight[tap])
        return y if self.bias is None else y + (alpha @ self.bias)[:, :, None, None]
