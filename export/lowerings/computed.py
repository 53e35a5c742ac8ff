"""Convolutions whose kernel the network computes outright: one convolution at batch 1, else products of matrices.

Neither plan nor quantizer has a choice here: there is no bank.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eamdeploy.networks.layers.computed_conv import ComputedConv2d
from export.planning.target import Target


def lower_computed(network: nn.Module, target: Target) -> None:
    """Replace every :class:`ComputedConv2d` of ``network`` by a form that ``target`` runs, in place."""
    if target.batch == 1:
        return
    for path, layer in list(network.named_modules()):
        if isinstance(layer, ComputedConv2d):
            network.set_submodule(path, ComputedProduct(layer).eval())


class ComputedProduct(nn.Module):
    """``x: (B, C, H, W), weight: (B, O, C/g, kh, kw) -> (B, O, H', W')`` by columns and a batched matrix product."""

    def __init__(self, layer: ComputedConv2d) -> None:
        super().__init__()
        self.stride, self.padding, self.dilation, self.groups = (
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.groups,
        )

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        """The convolution of each image with its own kernel."""
        outputs, inputs, kh, kw = weight.shape[1:]
        (top, left), (rows, columns) = self.padding, (x.shape[2], x.shape[3])
        height = (rows + 2 * top - self.dilation[0] * (kh - 1) - 1) // self.stride[0] + 1
        width = (columns + 2 * left - self.dilation[1] * (kw - 1) - 1) // self.stride[1] + 1
        if top or left:
            x = F.pad(x, (left, left, top, top))
        maps = []
        for row in range(kh):
            for column in range(kw):
                y, z = row * self.dilation[0], column * self.dilation[1]
                end_y, end_z = y + (height - 1) * self.stride[0] + 1, z + (width - 1) * self.stride[1] + 1
                part = x[:, :, y : end_y : self.stride[0], z : end_z : self.stride[1]]
                maps.append(part.flatten(2).unflatten(1, (self.groups, inputs)))
        stacked = torch.cat(maps, dim=2)  # (B, g, kh kw C/g, H' W')
        kernels = weight.flatten(3).transpose(2, 3).reshape(-1, self.groups, outputs // self.groups, kh * kw * inputs)
        return (kernels @ stacked).flatten(1, 2).unflatten(2, (height, width))
