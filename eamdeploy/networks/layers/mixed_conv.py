"""A convolution whose kernel is mixed from a bank by weights that are given to it: ``(x, alpha) -> y``.

Every dynamic convolution is one: Dynamic Convolution (Chen et al. 2020, arXiv 1912.03458), CondConv (Yang et al. 2019, arXiv
1904.04971), ODConv (Li et al. 2022, arXiv 2209.07947), KernelWarehouse (Li and Yao 2024, arXiv 2406.07879), EAM-DyNet. They
differ in how the weights ``alpha`` are computed, which is no business of the mixing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eamdeploy.networks.layers.mixed_gate import gated_conv
from eamdeploy.networks.layers.mixing import Geometry, choose


@dataclass(frozen=True)
class MixingBounds:
    """What is known of the mixing weights, whatever the image.

    Attributes:
        convex: they are not negative and sum to 1 (a softmax).
        l1: no image's weights have a larger ``sum_i |alpha_i|``; ``None`` where nothing bounds them.
        taps: no image's tap gate is larger; ``None`` where nothing bounds it.
        signed: they may be negative.
    """

    convex: bool = False
    l1: float | None = None
    taps: float | None = 1.0
    signed: bool = True

    @property
    def kernel(self) -> float | None:
        """``|W(x)| <= kernel * max_i |K_i|`` element by element, or ``None``."""
        return None if self.l1 is None or self.taps is None else self.l1 * self.taps


CONVEX = MixingBounds(convex=True, l1=1.0, signed=False)


def as_pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    """Height and width of what may be one number for both, as ``torch.nn.Conv2d`` takes it."""
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


class MixedConv2d(nn.Module):
    """``y = W * x + b``, ``W = t * sum_i alpha_i K_i``, ``b = shift + sum_i alpha_i b_i``; the weights need not sum to 1.

    ``x: (B, C, H, W), alpha: (B, k), taps: (B, kh kw) or None -> (B, O, H', W')``.

    Attributes:
        bank: the kernels K, ``(k, O, C/g, kh, kw)``.
        bias: the mixed biases ``(k, O)``, or ``None``.
        shift: a bias that is not mixed ``(O,)``, or ``None``.
        bounds: what is known of alpha.
        gated: whether it takes a gate ``t`` of one factor for each tap of the kernel.
    """

    def __init__(
        self,
        bank_shape: tuple[int, int, int, int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] = (0, 0),
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
        bias: bool = False,
        shift: bool = False,
        bounds: MixingBounds = CONVEX,
        gated: bool = False,
    ) -> None:
        super().__init__()
        self.kernels, self.out_channels = bank_shape[0], bank_shape[1]
        self.in_channels, self.groups = bank_shape[2] * groups, groups
        self.kernel_size: tuple[int, int] = (bank_shape[3], bank_shape[4])
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.bounds, self.gated = bounds, gated
        self.bank = nn.Parameter(torch.zeros(bank_shape))
        self.bias = nn.Parameter(torch.zeros(self.kernels, self.out_channels)) if bias else None
        self.shift = nn.Parameter(torch.zeros(self.out_channels)) if shift else None

    def draw_kernels(self) -> None:
        """Random kernels as torchvision's MobileNets start their convolutions (He et al. 2015, fan-out)."""
        fan_out = self.out_channels // self.groups * math.prod(self.kernel_size)
        nn.init.normal_(self.bank, std=math.sqrt(2 / fan_out))

    @property
    def geometry(self) -> Geometry:
        """Stride, padding, dilation and groups together."""
        return Geometry(self.stride, self.padding, self.dilation, self.groups)

    def mix(self, x: Tensor, alpha: Tensor, taps: Tensor | None = None) -> Tensor:
        """The convolution under given weights."""
        if taps is None:
            y = choose(x, self.bank, self.geometry)(x, alpha, self.bank, self.geometry)
        else:
            y = gated_conv(x, alpha, taps, self.bank, self.geometry)
        if self.bias is not None:
            y = y + (alpha @ self.bias)[:, :, None, None]
        return y if self.shift is None else y + self.shift[:, None, None]

    def forward(self, x: Tensor, alpha: Tensor | None = None, taps: Tensor | None = None) -> Tensor:
        """``(B, C, H, W), (B, k) -> (B, O, H', W')``."""
        if alpha is None:
            raise TypeError("a mixed convolution is called with its mixing weights")
        return self.mix(x, alpha, taps)

    def extra_repr(self) -> str:
        """The line ``print(network)`` shows."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, kernels={self.kernels}, "
            f"stride={self.stride}, padding={self.padding}, groups={self.groups}"
        )
