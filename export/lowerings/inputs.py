"""inputs: scaled copies of the input, each under its own static kernel, added up. Constant weights, any batch."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from export.lowerings.base import LayerSite, LoweredConv, Refusal, refuse_gate
from export.lowerings.experts import per_kernel
from export.planning.target import Target


class Inputs:
    """``y = sum_i K_i * (alpha_i x)``: convolution is linear in its input as well.

    Where the runtime adds a convolution to what is already there (ONNX Runtime's blocked convolutions do), the mixing costs
    nothing on the output side; on the input side it is k multiplications of the map.
    """

    name = "inputs"
    summary = "k static convolutions of scaled inputs, added up: constant weights (any batch)"

    def applies(self, site: LayerSite, target: Target) -> Refusal | None:
        """Serves every layer whose taps have no gate."""
        del target
        return refuse_gate(self.name, site)

    def __call__(self, site: LayerSite, target: Target) -> nn.Module:
        """The equivalent module."""
        return ScaledInputsConv(site, target)


class ScaledInputsConv(LoweredConv):
    """k static convolutions of scaled inputs; the first carries the bias."""

    def __init__(self, site: LayerSite, target: Target) -> None:
        super().__init__(site, target)
        kernels = site.layer.bank.detach()  # (k, O, C/g, kh, kw)
        self.experts = nn.ParameterList([nn.Parameter(kernel.clone(), requires_grad=False) for kernel in kernels])

    def convolve(self, x: Tensor, alpha: Tensor, taps: Tensor | None = None) -> Tensor:
        """``x: (B, C, H, W) -> (B, O, H', W')``."""
        del taps
        weights = per_kernel(alpha)
        bias = self.static_bias
        parts = [
            F.conv2d(
                x * weights[index],
                weight,
                bias if index == 0 else None,
                self.stride,
                self.padding,
                self.dilation,
                self.groups,
            )
            for index, weight in enumerate(self.experts)
        ]
        y = parts[0]
        for part in parts[1:]:
            y = y + part
        return y if self.dynamic_bias is None else self.add_bias(y, alpha)
