"""im2col: any dynamic convolution as gathered columns and a batched matrix product. Any batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.lowerings.base import LayerSite, LoweredConv, Refusal
from export.lowerings.taps import shifted
from export.planning.target import Target

# channels last: up to this many columns they are gathered by a convolution with one-hot kernels
CONVOLVE_UP_TO_COLUMNS = 64


class Im2Col:
    """``y = W(x) @ columns(x)``: what is left for larger kernels when the batch is not 1 or a convolution is slow."""

    name = "im2col"
    summary = "gathered columns and a batched matrix product (larger kernels, any batch)"

    def applies(self, site: LayerSite, target: Target) -> Refusal | None:
        """Serves kernels larger than 1x1."""
        if target.runtime == "ncnn":
            return Refusal(self.name, "ncnn has no slices with steps, and takes a computed kernel as it is")
        if site.layer.kernel_size == (1, 1) and site.layer.padding == (0, 0):
            return Refusal(self.name, "a 1x1 kernel has no columns to gather: it is the matmul form")
        return None

    def __call__(self, site: LayerSite, target: Target) -> nn.Module:
        """The equivalent module."""
        layer = site.layer
        columns = layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]
        if target.channels_last and layer.groups == 1 and columns <= CONVOLVE_UP_TO_COLUMNS:
            return ConvolvedColumns(site, target)
        return SlicedColumns(site, target)


class SlicedColumns(LoweredConv):
    """Columns by slices and a concatenation."""

    def __init__(self, site: LayerSite, target: Target) -> None:
        super().__init__(site, target)
        kernels = site.layer.bank.detach().unflatten(1, (self.groups, -1))  # (k, g, O/g, C/g, kh, kw)
        self.taps = self.kernel_size[0] * self.kernel_size[1]
        self.inputs = kernels.shape[3]
        self.bank = self.mixed(kernels.flatten(4).transpose(3, 4), target)  # (k, g, O/g, kh kw, C/g)

    def convolve(self, x: Tensor, alpha: Tensor, taps: Tensor | None = None) -> Tensor:
        """``x: (B, C, H, W) -> (B, O, H', W')``."""
        maps = shifted(x, self)
        if taps is not None:
            # a gate on a tap is as well one on what the tap sees
            maps = [part * taps[:, index, None, None, None] for index, part in enumerate(maps)]
        if self.groups == 1:
            columns = torch.cat(maps, dim=1).flatten(2)  # (B, kh kw C, H' W')
            y = self.bank(alpha).view(-1, self.out_channels, self.taps * self.inputs) @ columns
            return self.add_bias(y.unflatten(2, self.output_hw), alpha)
        parts = [part.flatten(2).unflatten(1, (self.groups, self.inputs)) for part in maps]
        columns = torch.cat(parts, dim=2)  # (B, g, kh kw C/g, H' W')
        weight = self.bank(alpha).view(-1, self.groups, self.out_channels // self.groups, self.taps * self.inputs)
        y = (weight @ columns).flatten(1, 2)
        return self.add_bias(y.unflatten(2, self.output_hw), alpha)


class ConvolvedColumns(LoweredConv):
    """Columns by a static convolution whose kernels each pick one input under one tap; the product runs over map rows.

    For a channels-last runtime whose delegate takes static convolutions and products of computed matrices, but neither
    convolutions with computed kernels nor strided slices at any speed: a network's first layer in LiteRT.
    """

    pick: Tensor

    def __init__(self, site: LayerSite, target: Target) -> None:
        super().__init__(site, target)
        kernels = site.layer.bank.detach()  # (k, O, C, kh, kw)
        self.columns = kernels[0, 0].numel()
        one_hot = torch.eye(self.columns, dtype=kernels.dtype)
        self.register_buffer("pick", one_hot.view(self.columns, *kernels.shape[2:]))
        self.bank = self.mixed(kernels.flatten(2).transpose(1, 2), target)  # (k, columns, O)

    def convolve(self, x: Tensor, alpha: Tensor, taps: Tensor | None = None) -> Tensor:
        """``x: (B, C, H, W) -> (B, O, H', W')``."""
        columns = F.conv2d(x, self.pick, None, self.stride, self.padding, self.dilation).permute(0, 2, 3, 1)
        weight = self.bank(alpha).view(-1, 1, self.columns, self.out_channels)
        if taps is not None:
            weight = weight * taps.repeat(1, self.columns // taps.shape[1])[:, None, :, None]
        y = columns @ weight
        bias = self.bias(alpha)
        if bias is not None:
            y = y + (bias[:, None, None] if bias.ndim == 2 else bias)
        return y.permute(0, 3, 1, 2)
