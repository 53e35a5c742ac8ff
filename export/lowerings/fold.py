"""Batch norm folded into what it follows: the kernel bank of a dynamic convolution, or the kernel of a static one.

``bn(W(x) * x + b) = (s W(x)) * x + s (b - mean) + beta`` with ``s = gamma / sqrt(var + eps)`` per output channel. The scale
goes into every kernel of the bank; the rest is a bias shared by all of them, because the mixing weights sum to 1.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from eamdeploy.networks.layers.blocks import ConvBnAct
from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.layers.mixed_conv import MixedConv2d
from eamdeploy.networks.layers.rewritten import LowRankConv2d
from eamdeploy.networks.program.network import ProgramNetwork
from export.lowerings.fold_program import drop_norms, norm_pairs

NetworkT = TypeVar("NetworkT", bound=nn.Module)


def fold_batchnorm(network: NetworkT) -> NetworkT:
    """An equal copy in evaluation mode whose batch norms behind convolutions are folded away. Computed in float64."""
    folded = copy.deepcopy(network).eval()
    if isinstance(folded, ProgramNetwork):
        _fold_program(folded)
        return folded
    for block in folded.modules():
        if not (isinstance(block, ConvBnAct) and isinstance(block.bn, nn.BatchNorm2d)):
            continue
        scale, shift = _scale_and_shift(block.bn)
        if isinstance(block.conv, AttentionConv2d):
            _fold_dynamic(block.conv, scale, shift)
        elif isinstance(block.conv, LowRankConv2d):
            _fold_low_rank(block.conv, scale, shift)
        elif isinstance(block.conv, nn.Conv2d):
            _fold_static(block.conv, scale, shift)
        else:
            continue
        block.bn = nn.Identity()  # type: ignore[assignment]
    return folded


def _fold_program(network: ProgramNetwork) -> None:
    pairs = norm_pairs(network)
    done = {}
    for path, norm in pairs.items():
        layer, bn = network.get_submodule(path), network.get_submodule(norm)
        if not isinstance(bn, nn.BatchNorm2d):
            continue
        scale, shift = _scale_and_shift(bn)
        if isinstance(layer, MixedConv2d):
            _fold_mixed(layer, scale, shift)
        elif isinstance(layer, LowRankConv2d):
            _fold_low_rank(layer, scale, shift)
        elif isinstance(layer, nn.Conv2d):
            _fold_static(layer, scale, shift)
        else:
            continue
        done[path] = norm
    drop_norms(network, done)


def _fold_mixed(conv: MixedConv2d, scale: Tensor, shift: Tensor) -> None:
    """The weights need not sum to 1: what the batch norm adds is not mixed."""
    dtype = conv.bank.dtype
    conv.bank = nn.Parameter(
        (conv.bank.detach().double() * scale[None, :, None, None, None]).to(dtype), requires_grad=False
    )
    if conv.bias is not None:
        conv.bias = nn.Parameter((conv.bias.detach().double() * scale).to(dtype), requires_grad=False)
    if conv.shift is not None:
        shift = shift + conv.shift.detach().double() * scale
    conv.shift = nn.Parameter(shift.to(dtype), requires_grad=False)


def _scale_and_shift(bn: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    if bn.running_mean is None or bn.running_var is None:
        raise ValueError("a batch norm without running statistics has nothing to fold")
    inverse = torch.rsqrt(bn.running_var.double() + bn.eps)
    scale = inverse if bn.weight is None else bn.weight.detach().double() * inverse
    shift = -bn.running_mean.double() * scale
    return scale, shift if bn.bias is None else shift + bn.bias.detach().double()


def _fold_dynamic(conv: AttentionConv2d, scale: Tensor, shift: Tensor) -> None:
    dtype = conv.bank.dtype
    bank = conv.bank.detach().double() * scale[None, :, None, None, None]
    bias = shift.expand(conv.kernels, -1)
    if conv.bias is not None:
        bias = bias + conv.bias.detach().double() * scale
    conv.bank = nn.Parameter(bank.to(dtype), requires_grad=False)
    conv.bias = nn.Parameter(bias.to(dtype).clone(), requires_grad=False)


def _fold_low_rank(conv: LowRankConv2d, scale: Tensor, shift: Tensor) -> None:
    dtype = conv.mean.dtype
    bias = shift.expand(conv.kernels, -1)
    if conv.bias is not None:
        bias = bias + conv.bias.detach().double() * scale
    conv.mean = nn.Parameter((conv.mean.detach().double() * scale[:, None, None, None]).to(dtype), requires_grad=False)
    if conv.up is not None:
        conv.up = nn.Parameter((conv.up.detach().double() * scale[:, None]).to(dtype), requires_grad=False)
    if conv.residual is not None:
        residual = conv.residual.detach().double() * scale[None, :, None, None, None]
        conv.residual = nn.Parameter(residual.to(dtype), requires_grad=False)
    conv.bias = nn.Parameter(bias.to(dtype).clone(), requires_grad=False)


def _fold_static(conv: nn.Conv2d, scale: Tensor, shift: Tensor) -> None:
    dtype = conv.weight.dtype
    weight = conv.weight.detach().double() * scale[:, None, None, None]
    bias = shift if conv.bias is None else shift + conv.bias.detach().double() * scale
    conv.weight = nn.Parameter(weight.to(dtype), requires_grad=False)
    conv.bias = nn.Parameter(bias.to(dtype), requires_grad=False)
