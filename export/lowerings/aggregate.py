"""aggregate: mix the kernels first, then one convolution whose weight is computed. Batch 1."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from export.lowerings.base import LayerSite, LoweredConv, Refusal
from export.planning.target import Target


class Aggregate:
    """``W = alpha @ K``, ``y = W * x + b``: one convolution, so one image."""

    name = "aggregate"
    summary = "one convolution with a computed kernel (batch 1)"

    def applies(self, site: LayerSite, target: Target) -> Refusal | None:
        """Serves every layer at batch 1."""
        del site
        if target.batch != 1:
            return Refusal(
                self.name, f"a convolution has one kernel for all images of a batch, and the batch is {target.batch}"
            )
        return None

    def __call__(self, site: LayerSite, target: Target) -> nn.Module:
        """The equivalent module."""
        return AggregatedConv(site, target)


class AggregatedConv(LoweredConv):
    """One convolution with a kernel computed from the image."""

    def __init__(self, site: LayerSite, target: Target) -> None:
        super().__init__(site, target)
        kernels = site.layer.bank.detach()  # (k, O, C/g, kh, kw)
        # stored in the order the runtime's convolution reads, so that no transpose remains in the graph
        self.order = (0, 1, 2, 3)
        if target.channels_last:
            depthwise = kernels.shape[2] == 1 and self.groups > 1
            self.order = (2, 3, 0, 1) if depthwise else (0, 2, 3, 1)
        stored = kernels.permute(0, *(axis + 1 for axis in self.order))
        self.stored_shape = tuple(stored.shape[1:])
        self.inverse = tuple(self.order.index(axis) for axis in range(4))
        self.bank = self.mixed(stored, target)

    def convolve(self, x: Tensor, alpha: Tensor, taps: Tensor | None = None) -> Tensor:
        """``x: (1, C, H, W) -> (1, O, H', W')``."""
        weight = self.bank(alpha).view(self.stored_shape)
        if taps is not None:
            # the gate in the order that the kernel is stored in, 1 along the channels
            gate = taps.view(1, 1, *self.kernel_size).permute(self.order)
            weight = weight * gate
        weight = weight.permute(self.inverse)
        bias = self.bias(alpha)
        bias = bias if bias is None else bias.reshape(self.out_channels)
        return F.conv2d(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)
