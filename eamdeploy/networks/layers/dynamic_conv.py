"""Dynamic convolution: a bank of kernels, mixed per image by an attention over that image.

Ding et al. 2021, equations 4 to 7; dynamic convolution itself is Chen et al. 2020 (arXiv 1912.03458).
"""

from __future__ import annotations

from torch import Tensor

from eamdeploy.networks.layers.attention import Attention
from eamdeploy.networks.layers.mixed_conv import CONVEX, MixedConv2d, as_pair


class AttentionConv2d(MixedConv2d):
    """A mixed convolution that brings its attention along: ``y = W(x) * x + b(x)``, ``sum_i alpha_i = 1``.

    ``x: (B, C, H, W) -> (B, O, H', W')``.

    Attributes:
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
        height, width = as_pair(kernel_size)
        super().__init__(
            (kernels, out_channels, in_channels // groups, height, width),
            stride=as_pair(stride),
            padding=as_pair(padding),
            dilation=as_pair(dilation),
            groups=groups,
            bias=bias,
            bounds=CONVEX,
        )
        self.attention = attention
        self.draw_kernels()

    def forward(self, x: Tensor, alpha: Tensor | None = None, taps: Tensor | None = None) -> Tensor:
        """``x: (B, C, H, W) -> (B, O, H', W')``; the attention gives ``alpha`` where it is left out."""
        return self.mix(x, self.attention(x) if alpha is None else alpha, taps)
