"""Cheaper layers that take a dynamic convolution's place within an accuracy budget (``export.rewrites`` makes them).

All rest on ``sum_i alpha_i = 1``: with any fixed ``abar`` that sums to 1, and ``Kbar = sum_i abar_i K_i``,

    W(x) = Kbar + sum_i (alpha_i(x) - abar_i) K_i        exactly

* ``collapse``: ``Kbar`` alone, an ordinary ``torch.nn.Conv2d``.
* ``low-rank``: ``Kbar`` plus the most telling directions of the sum (:class:`LowRankConv2d`): constant weights only.
* ``mean-residual``: fewer kernels than k, or kernels whose differences are stored in 8 or 16 bits
  (:class:`MeanResidualConv2d`).

A network notes what was rewritten in ``Network.rewrites``; a checkpoint keeps it, and :func:`apply_rewrites` rebuilds
the structure when it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eamdeploy.base.errors import DataError
from eamdeploy.networks.layers.attention import Attention
from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.layers.mixed_conv import MixedConv2d

COLLAPSE, LOW_RANK, MEAN_RESIDUAL = "collapse", "low-rank", "mean-residual"


class LowRankConv2d(nn.Module):
    """``y = Kbar * x + sum_r c_r(x) D_r * x`` with ``c(x) = mixing alpha(x) + offset``.

    ``x: (B, C, H, W) -> (B, O, H', W')``. With one group each ``D_r`` is an outer product of a kernel ``down_r``
    and an output column ``up_r``; with several, where that would save nothing, it is a whole kernel ``residual_r``.

    Attributes:
        mean: ``(O, C/g, kh, kw)``.
        mixing, offset: ``(R, k)`` and ``(R,)``.
        down, up: ``(R, C, kh, kw)`` and ``(O, R)``, or ``None`` with several groups.
        residual: ``(R, O, C/g, kh, kw)``, or ``None`` with one group.
        bias: ``(k, O)``, or ``None`` where a batch norm follows.
    """

    def __init__(self, layer: AttentionConv2d, rank: int) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.kernels, self.groups = (
            layer.in_channels,
            layer.out_channels,
            layer.kernels,
            layer.groups,
        )
        self.kernel_size, self.stride, self.padding, self.dilation = (
            layer.kernel_size,
            layer.stride,
            layer.padding,
            layer.dilation,
        )
        self.rank = rank
        self.attention: Attention = layer.attention
        shape, dtype = layer.bank.shape[1:], layer.bank.dtype
        self.mean = nn.Parameter(torch.zeros(shape, dtype=dtype))
        self.mixing = nn.Parameter(torch.zeros(rank, layer.kernels, dtype=dtype))
        self.offset = nn.Parameter(torch.zeros(rank, dtype=dtype))
        self.down: nn.Parameter | None = None
        self.up: nn.Parameter | None = None
        self.residual: nn.Parameter | None = None
        if self.groups == 1:
            self.down = nn.Parameter(torch.zeros(rank, *shape[1:], dtype=dtype))
            self.up = nn.Parameter(torch.zeros(self.out_channels, rank, dtype=dtype))
        else:
            self.residual = nn.Parameter(torch.zeros(rank, *shape, dtype=dtype))
        self.bias = None if layer.bias is None else nn.Parameter(layer.bias.detach().clone())

    def convolve(self, x: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
        """A static convolution with this layer's geometry."""
        return F.conv2d(x, kernel, bias, self.stride, self.padding, self.dilation, self.groups)

    def mix(self, x: Tensor, alpha: Tensor) -> Tensor:
        """The convolution under given weights ``alpha: (B, k)``."""
        scale = F.linear(alpha, self.mixing, self.offset)[:, :, None, None]
        y = self.convolve(x, self.mean)
        if self.residual is None:
            down, up = cast(Tensor, self.down), cast(Tensor, self.up)
            y = y + F.conv2d(self.convolve(x, down) * scale, up[:, :, None, None])
        else:
            for index in range(self.rank):
                y = y + self.convolve(x, self.residual[index]) * scale[:, index : index + 1]
        return y if self.bias is None else y + (alpha @ self.bias)[:, :, None, None]

    def kernel(self, alpha: Tensor) -> Tensor:
        """The kernel that this layer amounts to for one image: ``alpha: (k,) -> (O, C/g, kh, kw)``."""
        scale = self.mixing @ alpha + self.offset
        if self.residual is not None:
            return self.mean + torch.einsum("r,rocij->ocij", scale, self.residual)
        return self.mean + torch.einsum("r,or,rcij->ocij", scale, cast(Tensor, self.up), cast(Tensor, self.down))

    def forward(self, x: Tensor) -> Tensor:
        """``x: (B, C, H, W) -> (B, O, H', W')``."""
        return self.mix(x, self.attention(x))


class MeanResidualConv2d(AttentionConv2d):
    """A dynamic convolution that knows the directions in which its kernels differ from their mean.

    ``W(x) = Kbar + sum_j (q_j . (alpha - abar)) D_j`` with ``D_j = sum_i q_ji K_i``.

    Attributes:
        mean_alpha: ``abar``, ``(k,)``, sums to 1.
        vectors: the ``q_j`` as rows, ``(R, k)``, orthonormal, each summing to 0.
        storage: ``int8``, ``fp16`` or ``fp32``: how the ``D_j`` are to be stored.
    """

    mean_alpha: Tensor
    vectors: Tensor

    def __init__(self, layer: AttentionConv2d, storage: str, rank: int) -> None:
        super().__init__(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,
            attention=layer.attention,
            kernels=layer.kernels,
            stride=layer.stride,
            padding=layer.padding,
            dilation=layer.dilation,
            groups=layer.groups,
            bias=layer.bias is not None,
        )
        self.storage = storage
        self.bank, self.bias = layer.bank, layer.bias
        self.register_buffer("mean_alpha", torch.full((layer.kernels,), 1 / layer.kernels, dtype=torch.float64))
        self.register_buffer("vectors", torch.zeros(rank, layer.kernels, dtype=torch.float64))


def collapsed_conv(layer: MixedConv2d) -> nn.Conv2d:
    """A static convolution of the layer's geometry, its weights yet to be set."""
    return nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
        bias=layer.bias is not None or layer.shift is not None,
        dtype=layer.bank.dtype,
    )


def apply_rewrites(network: nn.Module, rewrites: Mapping[str, Mapping[str, Any]]) -> None:
    """Give ``network`` the structure that ``rewrites`` names, in place, ready for its weights to be loaded.

    Raises:
        DataError: when they name a layer or a kind that is not there.
    """
    layers = {name: module for name, module in network.named_modules() if isinstance(module, AttentionConv2d)}
    with torch.random.fork_rng(devices=[]):
        for path, rewrite in rewrites.items():
            if path not in layers:
                raise DataError("the checkpoint rewrites a layer that is no dynamic convolution", where=path)
            network.set_submodule(path, _blank(layers[path], rewrite, path))


def _blank(layer: AttentionConv2d, rewrite: Mapping[str, Any], path: str) -> nn.Module:
    kind = rewrite.get("kind")
    if kind == COLLAPSE:
        return collapsed_conv(layer)
    if kind == LOW_RANK:
        return LowRankConv2d(layer, int(rewrite["rank"]))
    if kind == MEAN_RESIDUAL:
        return MeanResidualConv2d(layer, str(rewrite["storage"]), int(rewrite["rank"]))
    raise DataError(f"unknown rewrite '{kind}'", where=path, hint="was it written by a newer eamdeploy?")
