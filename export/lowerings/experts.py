"""experts: every kernel convolves the image, and the outputs are mixed. k times the multiplications, constant weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.lowerings.base import LayerSite, LoweredConv, Refusal, refuse_gate
from export.planning.target import Target


class Experts:
    """``y = sum_i alpha_i (K_i * x)``: all weights constant, so pre-packed, plainly quantized, taken by every delegate."""

    name = "experts"
    summary = "k static convolutions, outputs mixed: constant weights, k times the multiplications (any batch)"

    def applies(self, site: LayerSite, target: Target) -> Refusal | None:
        """Serves every layer whose taps have no gate."""
        del target
        return refuse_gate(self.name, site)

    def __call__(self, site: LayerSite, target: Target) -> nn.Module:
        """The equivalent module."""
        return ExpertsConv(site, target)


class ExpertsConv(LoweredConv):
    """k static convolutions and a weighted sum.

    Depthwise layers run k convolutions: runtimes have a fast path for as many outputs as groups. Others run one
    convolution of k O outputs.
    """

    def __init__(self, site: LayerSite, target: Target) -> None:
        super().__init__(site, target)
        kernels = site.layer.bank.detach()  # (k, O, C/g, kh, kw)
        self.split = self.groups > 1
        if self.split:
            self.experts = nn.ParameterList([nn.Parameter(kernel.clone(), requires_grad=False) for kernel in kernels])
        else:
            self.experts = nn.ParameterList([nn.Parameter(kernels.flatten(0, 1).clone(), requires_grad=False)])

    def convolve(self, x: Tensor, alpha: Tensor, taps: Tensor | None = None) -> Tensor:
        """``x: (B, C, H, W) -> (B, O, H', W')``."""
        del taps
        outputs = [
            F.conv2d(x, weight, None, self.stride, self.padding, self.dilation, self.groups) for weight in self.experts
        ]
        if not self.split:
            outputs = list(torch.split(outputs[0], self.out_channels, dim=1))
        weights = per_kernel(alpha)
        y = outputs[0] * weights[0]
        for index in range(1, self.kernels):
            y = y + outputs[index] * weights[index]
        return self.add_bias(y, alpha)


def per_kernel(alpha: Tensor) -> list[Tensor]:
    """``(B, k)`` to k factors ``(B, 1, 1, 1)`` of maps, in one split: k selections would be several operators each."""
    return list(torch.split(alpha.reshape(-1, alpha.shape[1], 1, 1), 1, dim=1))
