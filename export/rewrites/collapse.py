"""collapse: the mean kernel in place of the bank; a static convolution."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from eamdeploy.networks.layers.mixed_conv import MixedConv2d
from eamdeploy.networks.layers.rewritten import COLLAPSE, collapsed_conv
from export.lowerings.base import LayerSite, Refusal
from export.planning.target import Target


class Collapse:
    """``y = (sum_i abar_i K_i) * x``: as fast and as small as a layer that was never dynamic."""

    name = COLLAPSE
    summary = "the mean kernel, static; needs a budget and calibration images"

    def __init__(self, alpha_mean: Tensor | None = None) -> None:
        self.alpha_mean = alpha_mean

    def applies(self, site: LayerSite, target: Target) -> Refusal | None:
        """Serves any layer whose mean attention is known: it is no equal of the layer, so never by itself."""
        del site, target
        if self.alpha_mean is None:
            return Refusal(self.name, "it needs the attention's mean over calibration images: ask with a budget")
        return None

    def rewrite(self, layer: MixedConv2d, alpha_mean: Tensor, covariance: Tensor | None = None) -> nn.Module:
        """The static convolution under ``alpha_mean: (k,)``."""
        del covariance
        conv = collapsed_conv(layer)
        with torch.no_grad():
            bank = layer.bank.detach().double()
            conv.weight.copy_(torch.tensordot(alpha_mean.double(), bank, dims=1))
            if conv.bias is not None:
                shift = torch.zeros(layer.out_channels, dtype=torch.float64)
                if layer.bias is not None:
                    shift = shift + alpha_mean.double() @ layer.bias.detach().double()
                if layer.shift is not None:
                    shift = shift + layer.shift.detach().double()
                conv.bias.copy_(shift)
        return conv

    def __call__(self, site: LayerSite, target: Target) -> nn.Module:
        """The static convolution.

        Raises:
            ValueError: when the mean attention is not known.
        """
        del target
        if self.alpha_mean is None:
            raise ValueError("collapse needs the mean of alpha")
        return self.rewrite(site.layer, self.alpha_mean)
