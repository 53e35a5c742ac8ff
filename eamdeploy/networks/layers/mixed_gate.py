"""The mixed convolution with a gate on the taps of its kernel (ODConv's spatial attention)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from eamdeploy.networks.layers.mixing import Geometry, aggregate


def gated_conv(x: Tensor, alpha: Tensor, taps: Tensor, bank: Tensor, geometry: Geometry) -> Tensor:
    """``W = t * sum_i alpha_i K_i``; ``taps: (B, kh kw)``. The batch is folded into the groups of one convolution."""
    batch = x.shape[0]
    gate = taps.reshape(batch, 1, 1, bank.shape[3], bank.shape[4])
    weight = (aggregate(alpha, bank) * gate).flatten(0, 1)
    folded = x.reshape(1, -1, *x.shape[2:])
    y = F.conv2d(folded, weight, None, geometry.stride, geometry.padding, geometry.dilation, batch * geometry.groups)
    return y.reshape(batch, -1, *y.shape[2:])
