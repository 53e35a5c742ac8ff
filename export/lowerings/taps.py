"""taps: a depthwise dynamic convolution as kh kw shifted multiply-adds. Any batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.lowerings.base import LayerSite, LoweredConv, Refusal
from export.planning.target import Target


class Taps:
    """``y = sum_t w_t(x) shift_t(x)``: elementwise operators alone."""

    name = "taps"
    summary = "depthwise layers: shifted multiply-adds (any batch)"

    def applies(self, site: LayerSite, target: Target) -> Refusal | None:
        """Serves depthwise kernels."""
        if target.runtime == "ncnn":
            return Refusal(self.name, "every tap would be several slices, and ncnn takes a computed kernel as it is")
        if site.kind != "depthwise":
            return Refusal(self.name, f"the layer is {site.kind}, not depthwise: each tap would be a matrix")
        return None

    def __call__(self, site: LayerSite, target: Target) -> nn.Module:
        """The equivalent module."""
        return TapsConv(site, target)


def shifted(x: Tensor, conv: LoweredConv) -> list[Tensor]:
    """The kh kw maps ``(B, C, H', W')`` that a kernel's taps see, row by row."""
    (top, left), (height, width) = conv.padding, conv.output_hw
    if top or left:
        x = F.pad(x, (left, left, top, top))
    maps = []
    for row in range(conv.kernel_size[0]):
        for column in range(conv.kernel_size[1]):
            y, z = row * conv.dilation[0], column * conv.dilation[1]
            end_y, end_z = y + (height - 1) * conv.stride[0] + 1, z + (width - 1) * conv.stride[1] + 1
            maps.append(x[:, :, y : end_y : conv.stride[0], z : end_z : conv.stride[1]])
    return maps


class TapsConv(LoweredConv):
    """Shifted multiply-adds."""

    def __init__(self, site: LayerSite, target: Target) -> None:
        super().__init__(site, target)
        kernels = site.layer.bank.detach()  # (k, C, 1, kh, kw)
        self.bank = self.mixed(kernels.flatten(2).transpose(1, 2), target)  # (k, kh kw, C)

    def convolve(self, x: Tensor, alpha: Tensor, taps: Tensor | None = None) -> Tensor:
        """``x: (B, C, H, W) -> (B, C, H', W')``."""
        maps = shifted(x, self)
        weight = self.bank(alpha).view(-1, len(maps), self.out_channels, 1, 1)
        if taps is not None:
            weight = weight * taps[:, :, None, None, None]
        y: Tensor = maps[0] * weight[:, 0]
        for tap in range(1, len(maps)):
            y = torch.add(y, maps[tap] * weight[:, tap])
        return self.add_bias(y, alpha)
