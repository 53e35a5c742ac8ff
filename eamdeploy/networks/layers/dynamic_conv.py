"""Dynamic convolution: a bank of kernels, mixed per image by an attention over that image.

Ding et al. 2021, equations 4 to 7; dynamic convolution itself is Chen et al. 2020 (arXiv 1912.03458).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from eamdeploy.networks.layers.attention import Attention
from eamdeploy.networks.layers.mixing import Geometry, choose


class DynamicConv2d(nn.Module):
    """``y = W(x) * x + b(x)``, ``W(x) = sum_i alpha_i(x) K_i``, ``b(x) = sum_i alpha_i(x) b_i``, ``sum_i alpha_i = 1``.

    ``x: (B, C, H, W) -> (B, O, H', W')``.

    Attributes:
        bank: the kernels K, ``(k, O, C/g, kh, kw)``.
        bias: ``(k, O)``, or ``None`` where a batch norm follows.
        attention: ``x -> alpha: (B, k)``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        *,
        attention: Attention,
        kernels: int = 4,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.kernels, self.groups = in_channels, out_channels, kernels, groups
        self.kernel_size = _pair(kernel_size)
        self.stride, self.padding, self.dilation = _pair(stride), _pair(padding), _pair(dilation)
        self.attention = attention
        self.bank = nn.Parameter(torch.empty(kernels, out_channels, in_channels // groups, *self.kernel_size))
        self.bias = nn.Parameter(torch.zeros(kernels, out_channels)) if bias else None
        # as torchvision's MobileNets start their convolutions (He et al. 2015, fan-out)
        fan_out = out_channels // groups * math.prod(self.kernel_size)
        nn.init.normal_(self.bank, std=math.sqrt(2 / fan_out))

    @property
    def geometry(self) -> Geometry:
        """Stride, padding, dilation and groups together."""
        return Geometry(self.stride, self.padding, self.dilation, self.groups)

    def mix(self, x: Tensor, alpha: Tensor) -> Tensor:
        """The convolution under given weights ``alpha: (B, k)``."""
        y = choose(x, self.bank, self.geometry)(x, alpha, self.bank, self.geometry)
        return y if self.bias is None else y + (alpha @ self.bias)[:, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        """``x: (B, C, H, W) -> (B, O, H', W')``."""
        return self.mix(x, self.attention(x))

    def extra_repr(self) -> str:
        """The line ``print(network)`` shows."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, kernels={self.kernels}, "
            f"stride={self.stride}, padding={self.padding}, groups={self.groups}"
        )


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value
