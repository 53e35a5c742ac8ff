"""A convolution whose kernel is given to it image by image: what remains of a kernel that no bank explains."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class ComputedConv2d(nn.Module):
    """``x: (B, C, H, W), weight: (B, O, C/g, kh, kw) -> (B, O, H', W')``: each image under its own kernel.

    A hypernetwork, say, whose linear layer gives the kernel itself.
    """

    def __init__(
        self,
        *,
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] = (0, 0),
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        """One convolution at batch 1; else the batch folded into the groups of one."""
        geometry = (self.stride, self.padding, self.dilation)
        if x.shape[0] == 1:
            return F.conv2d(x, weight.squeeze(0), None, *geometry, self.groups)
        batch = x.shape[0]
        folded = x.reshape(1, -1, *x.shape[2:])
        y = F.conv2d(folded, weight.flatten(0, 1), None, *geometry, batch * self.groups)
        return y.reshape(batch, -1, *y.shape[2:])
