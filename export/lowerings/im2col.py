"""im2col: any dynamic convolution as slices, a concatenation and a batched matrix product. Any batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.lowerings.base import KernelBank, LayerSite, LoweredConv, Refusal
from export.lowerings.taps import shifted
from export.target import Target


class Im2Col:
    """``y = W(x) @ columns(x)``; what is left for larger kernels when the batch is not 1."""

    name = "im2col"
    summary = "slices, concatenation and a batched matrix product (any kernel, any batch)"

    def applies(self, site: LayerSite, target: Target) -> Refusal | None:
        """Serves kernels larger than 1x1."""
        del target
        if site.layer.kernel_size == (1, 1) and site.layer.padding == (0, 0):
            return Refusal(self.name, "a 1x1 kernel has no columns to gather: it is the matmul form")
        return None

    def __call__(self, site: LayerSite, target: Target) -> nn.Module:
        """The equivalent module."""
        return Im2ColConv(site, target)


class Im2ColConv(LoweredConv):
    """A matrix product over gathered columns."""

    def __init__(self, site: LayerSite, target: Target) -> None:
        super().__init__(site, target)
        kernels = site.layer.bank.detach().unflatten(1, (self.groups, -1))  # (k, g, O/g, C/g, kh, kw)
        self.taps = self.kernel_size[0] * self.kernel_size[1]
        self.inputs = kernels.shape[3]
        self.bank = KernelBank(kernels.flatten(4).transpose(3, 4), target)  # (k, g, O/g, kh kw, C/g)

    def convolve(self, x: Tensor, alpha: Tensor) -> Tensor:
        """``x: (B, C, H, W) -> (B, O, H', W')``."""
        if self.groups == 1:
            columns = torch.cat(shifted(x, self), dim=1).flatten(2)  # (B, kh kw C, H' W')
            y = self.bank(alpha).view(-1, self.out_channels, self.taps * self.inputs) @ columns
            return self.add_bias(y.unflatten(2, self.output_hw), alpha)
        maps = [part.flatten(2).unflatten(1, (self.groups, self.inputs)) for part in shifted(x, self)]
        columns = torch.cat(maps, dim=2)  # (B, g, kh kw C/g, H' W')
        weight = self.bank(alpha).view(-1, self.groups, self.out_channels // self.groups, self.taps * self.inputs)
        y = (weight @ columns).flatten(1, 2)
        return self.add_bias(y.unflatten(2, self.output_hw), alpha)
