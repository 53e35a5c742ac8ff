"""low-rank: a static convolution plus a few scaled outer products. Constant weights only, any batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.layers.mixed_conv import MixedConv2d
from eamdeploy.networks.layers.rewritten import LOW_RANK, LowRankConv2d
from export.lowerings.base import LayerSite, LoweredConv, Refusal, output_size, refuse_gate, refuse_unless_own
from export.planning.target import Target
from export.rewrites.factors import directions, full_rank, ranked_factors


@dataclass(frozen=True)
class FactoredSite:
    """A :class:`LowRankConv2d` where it stands; fields as in :class:`~export.lowerings.base.LayerSite`."""

    path: str
    layer: LowRankConv2d
    input_hw: tuple[int, int]

    @property
    def output_hw(self) -> tuple[int, int]:
        """Height and width of its output map."""
        return output_size(self.input_hw, self.layer)


class LowRank:
    """``y = Kbar * x + U (c(x) . V x)``: pre-packed, plainly quantized, taken by every delegate; exact at full rank."""

    name = LOW_RANK
    summary = "a static convolution and scaled outer products: constant weights, exact at full rank (any batch)"

    def __init__(self, rank: int | None = None) -> None:
        self.rank = rank

    def applies(self, site: LayerSite, target: Target) -> Refusal | None:
        """Serves every layer of at least two kernels whose weights sum to 1."""
        del target
        if site.layer.kernels < 2:
            return Refusal(self.name, "one kernel does not move")
        return refuse_gate(self.name, site) or refuse_unless_own(self.name, site)

    def rewrite(self, layer: MixedConv2d, alpha_mean: Tensor, covariance: Tensor | None = None) -> LowRankConv2d:
        """The layer at this rank (full where none was given) around ``alpha_mean: (k,)``."""
        if not isinstance(layer, AttentionConv2d):
            raise TypeError("a layer whose mixing weights are given to it is not factored")
        whole = full_rank(tuple(layer.bank.shape), layer.groups)
        rank = whole if self.rank is None else min(self.rank, whole)
        parts = directions(layer.bank, alpha_mean, covariance)
        factors = ranked_factors(parts, layer.groups, rank)
        low_rank = LowRankConv2d(layer, rank)
        with torch.no_grad():
            low_rank.mean.copy_(parts.mean)
            low_rank.mixing.copy_(factors.mixing)
            low_rank.offset.copy_(factors.offset)
            for parameter, values in (
                (low_rank.down, factors.down),
                (low_rank.up, factors.up),
                (low_rank.residual, factors.residual),
            ):
                if parameter is not None:
                    parameter.copy_(values)
        return low_rank

    def __call__(self, site: LayerSite, target: Target) -> nn.Module:
        """The lowered module."""
        layer = site.layer
        even = torch.full((layer.kernels,), 1 / layer.kernels, dtype=torch.float64)
        return LoweredLowRank(FactoredSite(site.path, self.rewrite(layer, even), site.input_hw), target)


class LoweredLowRank(LoweredConv):
    """A :class:`LowRankConv2d` in operators that export well."""

    def __init__(self, site: FactoredSite, target: Target) -> None:
        super().__init__(site, target)
        layer = site.layer
        self.rank = layer.rank
        self.mean = nn.Parameter(layer.mean.detach().clone(), requires_grad=False)
        self.coefficients = nn.Linear(layer.kernels, layer.rank, dtype=layer.mixing.dtype)
        self.coefficients.weight = nn.Parameter(layer.mixing.detach().clone(), requires_grad=False)
        self.coefficients.bias = nn.Parameter(layer.offset.detach().clone(), requires_grad=False)
        parts = [] if layer.residual is None else [part.clone() for part in layer.residual.detach()]
        self.residual = nn.ParameterList([nn.Parameter(part, requires_grad=False) for part in parts])
        self.down = None if layer.down is None else nn.Parameter(layer.down.detach().clone(), requires_grad=False)
        self.up = None
        if layer.up is not None:
            self.up = nn.Parameter(layer.up.detach()[:, :, None, None].clone(), requires_grad=False)

    def convolve(self, x: Tensor, alpha: Tensor, taps: Tensor | None = None) -> Tensor:
        """``x: (B, C, H, W) -> (B, O, H', W')``."""
        del taps
        scale = self.coefficients(alpha)[:, :, None, None]
        y = self._static(x, self.mean, self.static_bias)
        if self.up is not None:
            y = y + F.conv2d(self._static(x, cast(Tensor, self.down)) * scale, self.up)
        for index, residual in enumerate(self.residual):
            y = y + self._static(x, residual) * scale[:, index : index + 1]
        if self.dynamic_bias is not None:
            y = y + (alpha @ self.dynamic_bias)[:, :, None, None]
        return y

    def _static(self, x: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
        return F.conv2d(x, kernel, bias, self.stride, self.padding, self.dilation, self.groups)
