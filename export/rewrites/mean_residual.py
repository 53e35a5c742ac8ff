"""mean-residual: the mean kernel and, in fewer bits, what alpha's directions add. Exact with k - 1 of them in 32 bits.

``W(x) = Kbar + sum_j (q_j . (alpha - abar)) D_j`` (see ``factors``). The deviations sum to 0, so k - 1 kernels and a
mean hold what k kernels held. Where alpha moves in one direction alone a single ``D`` does; where it stays near
``abar`` an error of ``D`` is multiplied by next to nothing, and 8 bits are plenty.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from eamdeploy.base.errors import UsageError, did_you_mean
from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.layers.mixed_conv import MixedConv2d
from eamdeploy.networks.layers.rewritten import MEAN_RESIDUAL, MeanResidualConv2d
from export.lowerings.aggregate import Aggregate
from export.lowerings.base import LayerSite, LoweredConv, Lowering, Refusal, refuse_gate, refuse_unless_own
from export.lowerings.im2col import Im2Col
from export.lowerings.matmul import MatMul
from export.lowerings.taps import Taps
from export.planning.rules import preferred
from export.planning.target import Target
from export.rewrites.factors import directions

STORAGES = ("int8", "fp16", "fp32")
BYTES = {"int8": 1, "fp16": 2, "fp32": 4}
# the forms that mix a bank into a kernel; each has a ``bank``
_FORMS: dict[str, Lowering] = {form.name: form for form in (Aggregate(), MatMul(), Im2Col(), Taps())}


class MeanResidual:
    """A mean kernel in 32 bits and ``rank`` more in 8, 16 or 32."""

    name = MEAN_RESIDUAL
    summary = "a mean kernel and what attention's directions add, in int8, fp16 or fp32: a smaller bank"

    def __init__(self, storage: str = "fp32", rank: int | None = None) -> None:
        if storage not in STORAGES:
            raise UsageError(f"unknown storage '{storage}'", hint=did_you_mean(storage, STORAGES))
        self.storage, self.rank = storage, rank

    def applies(self, site: LayerSite, target: Target) -> Refusal | None:
        """Serves every layer of at least two kernels whose weights sum to 1."""
        del target
        if site.layer.kernels < 2:
            return Refusal(self.name, "one kernel has no differences")
        return refuse_gate(self.name, site) or refuse_unless_own(self.name, site)

    def rewrite(
        self,
        layer: MixedConv2d,
        alpha_mean: Tensor,
        covariance: Tensor | None = None,
        *,
        output_scale: Tensor | None = None,
    ) -> MeanResidualConv2d:
        """The layer with the kernels that mean and directions amount to.

        Args:
            output_scale: ``(O,)``, what a batch norm behind the layer will be folded in by: the directions' kernels are
                rounded after that, as the artifact stores them.
        """
        if not isinstance(layer, AttentionConv2d):
            raise TypeError("a layer whose mixing weights are given to it is not rewritten")
        parts = directions(layer.bank, alpha_mean, covariance)
        rank = len(parts.vectors) if self.rank is None else min(self.rank, len(parts.vectors))
        scale = torch.ones(layer.out_channels, dtype=torch.float64) if output_scale is None else output_scale.double()
        scale = torch.where(scale == 0, torch.ones_like(scale), scale)[:, None, None, None]
        codes, steps = store(parts.kernels[:rank] * scale, self.storage)
        kernels = codes.double() * steps.view(-1, 1, 1, 1, 1) / scale
        vectors, offset = parts.vectors[:rank], parts.offset[:rank]
        # sum_i alpha_i K'_i = Kbar + sum_j (q_j . alpha + offset_j) D_j, because alpha sums to 1
        bank = parts.mean + torch.tensordot(vectors.T + offset, kernels, dims=1)
        residual = MeanResidualConv2d(layer, self.storage, rank)
        residual.bank = nn.Parameter(bank.to(layer.bank.dtype))
        residual.mean_alpha.copy_(alpha_mean)
        residual.vectors.copy_(vectors)
        return residual

    def __call__(self, site: LayerSite, target: Target) -> nn.Module:
        """The lowered module: the form that the rules prefer, on a bank of directions."""
        layer = site.layer
        if not isinstance(layer, MeanResidualConv2d):
            even = torch.full((layer.kernels,), 1 / layer.kernels, dtype=torch.float64)
            layer = self.rewrite(layer, even)
            site = LayerSite(site.path, layer, site.input_hw)
        serving = tuple(name for name, form in _FORMS.items() if form.applies(site, target) is None)
        lowered = _FORMS[preferred(site, target, serving).lowering](site, target)
        if not isinstance(lowered, LoweredConv):
            raise TypeError(f"{type(lowered).__name__} is no LoweredConv")
        lowered.bank = ResidualBank(lowered.get_submodule("bank"), layer, target)
        return lowered


def store(kernels: Tensor, storage: str) -> tuple[Tensor, Tensor]:
    """``kernels: (R, ...)`` as stored, and the step of each: ``value = code * step``."""
    ones = torch.ones(len(kernels), dtype=torch.float64)
    if storage == "int8":
        largest = kernels.flatten(1).abs().amax(dim=1) if len(kernels) else ones
        steps = torch.where(largest == 0, ones, largest / 127)
        codes = torch.round(kernels / steps.view(-1, *([1] * (kernels.ndim - 1))))
        return codes.to(torch.int8), steps
    return kernels.to(torch.float16 if storage == "fp16" else torch.float64), ones


class ResidualBank(nn.Module):
    """In place of a :class:`KernelBank`: ``alpha: (B, k) -> (B, N)``.

    Attributes:
        mean: ``(N,)``, in 32 bits.
        codes: ``(R, N)`` or, for a channels-last runtime, ``(N, R)``, as stored.
        coefficients: ``alpha -> (q_j . (alpha - abar)) step_j``.
    """

    mean: Tensor
    codes: Tensor

    def __init__(self, bank: nn.Module, layer: MeanResidualConv2d, target: Target) -> None:
        super().__init__()
        self.transposed = target.channels_last
        dtype = layer.bank.dtype
        # whatever order the form keeps its kernels in: alone, each of them is its own mixture
        weight = copy.deepcopy(bank).double()(torch.eye(layer.kernels, dtype=torch.float64))
        alpha_mean, vectors = layer.mean_alpha.double(), layer.vectors.double()
        codes, steps = store(vectors @ weight, layer.storage)
        codes = codes.to(dtype) if codes.dtype == torch.float64 else codes
        self.register_buffer("mean", (alpha_mean @ weight).to(dtype))
        self.register_buffer("codes", (codes.T if self.transposed else codes).contiguous())
        scaled = vectors * steps[:, None]
        self.coefficients = nn.Linear(vectors.shape[1], len(vectors), dtype=dtype)
        self.coefficients.weight = nn.Parameter(scaled.to(dtype), requires_grad=False)
        self.coefficients.bias = nn.Parameter(-(scaled @ alpha_mean).to(dtype), requires_grad=False)

    def forward(self, alpha: Tensor) -> Tensor:
        """Mix: ``(B, k) -> (B, N)``."""
        scale = self.coefficients(alpha)
        codes = self.codes.to(scale.dtype)
        if self.transposed:
            return nn.functional.linear(scale, codes, self.mean)
        return torch.matmul(scale, codes) + self.mean
