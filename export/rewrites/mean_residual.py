"""mean-residual: the mean kernel, and the differences between kernels in fewer bits. Exact with 32-bit differences.

``W(x) = Kbar + sum_{i<k} (alpha_i - abar_i) (K_i - K_k)``, because the deviations sum to 0: k - 1 differences and a mean
hold what k kernels held, and where alpha stays near ``abar`` an error of the differences is multiplied by next to nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from eamdeploy.errors import UsageError, did_you_mean
from eamdeploy.networks.dynamic_conv import DynamicConv2d
from eamdeploy.networks.rewritten import MEAN_RESIDUAL, MeanResidualConv2d
from export.lowerings.aggregate import Aggregate
from export.lowerings.base import KernelBank, LayerSite, LoweredConv, Lowering, Refusal
from export.lowerings.im2col import Im2Col
from export.lowerings.matmul import MatMul
from export.lowerings.taps import Taps
from export.rules import preferred
from export.target import Target

STORAGES = ("int8", "fp16", "fp32")
BYTES = {"int8": 1, "fp16": 2, "fp32": 4}
# the forms that mix a bank into a kernel; each has a ``bank``
_FORMS: dict[str, Lowering] = {form.name: form for form in (Aggregate(), MatMul(), Im2Col(), Taps())}


class MeanResidual:
    """A mean kernel in 32 bits and differences in 8 or 16."""

    name = MEAN_RESIDUAL
    summary = "a mean kernel and differences in int8 or fp16: a smaller file, the same operators"

    def __init__(self, storage: str = "fp32") -> None:
        if storage not in STORAGES:
            raise UsageError(f"unknown storage '{storage}'", hint=did_you_mean(storage, STORAGES))
        self.storage = storage

    def applies(self, site: LayerSite, target: Target) -> Refusal | None:
        """Serves every layer of at least two kernels."""
        del target
        if site.layer.kernels < 2:
            return Refusal(self.name, "one kernel has no differences")
        return None

    def rewrite(
        self,
        layer: DynamicConv2d,
        alpha_mean: Tensor,
        covariance: Tensor | None = None,
        *,
        output_scale: Tensor | None = None,
    ) -> MeanResidualConv2d:
        """The layer with the kernels that the stored differences amount to.

        Args:
            output_scale: ``(O,)``, what a batch norm behind the layer will be folded in by: the differences are rounded
                after that, as the artifact stores them.
        """
        del covariance
        kernels = layer.bank.detach().double()
        scale = torch.ones(kernels.shape[1], dtype=torch.float64) if output_scale is None else output_scale.double()
        scale = torch.where(scale == 0, torch.ones_like(scale), scale)[:, None, None, None]
        mean = torch.tensordot(alpha_mean.double(), kernels, dims=1)
        codes, steps = store((kernels[:-1] - kernels[-1:]) * scale, self.storage)
        differences = codes.double() * steps.view(-1, 1, 1, 1, 1) / scale
        last = mean - torch.tensordot(alpha_mean.double()[:-1], differences, dims=1)
        made = MeanResidualConv2d(layer, self.storage)
        made.bank = nn.Parameter(torch.cat([last + differences, last[None]]).to(layer.bank.dtype))
        made.mean_alpha.copy_(alpha_mean)
        return made

    def __call__(self, site: LayerSite, target: Target) -> nn.Module:
        """The lowered module: the form that the rules prefer, on a bank of differences."""
        layer = site.layer
        known = isinstance(layer, MeanResidualConv2d)
        storage = layer.storage if isinstance(layer, MeanResidualConv2d) else self.storage
        even = torch.full((layer.kernels,), 1 / layer.kernels, dtype=torch.float64)
        alpha_mean = layer.mean_alpha.double() if isinstance(layer, MeanResidualConv2d) and known else even
        serving = tuple(name for name, form in _FORMS.items() if form.applies(site, target) is None)
        lowered = _FORMS[preferred(site, target, serving).lowering](site, target)
        if not isinstance(lowered, LoweredConv):
            raise TypeError(f"{type(lowered).__name__} is no LoweredConv")
        lowered.bank = ResidualBank(lowered.get_submodule("bank"), alpha_mean, storage)
        return lowered


def store(differences: Tensor, storage: str) -> tuple[Tensor, Tensor]:
    """``differences: (k - 1, ...)`` as stored, and the step of each: ``value = code * step``."""
    ones = torch.ones(len(differences), dtype=torch.float64)
    if storage == "int8":
        largest = differences.flatten(1).abs().amax(dim=1)
        steps = torch.where(largest == 0, ones, largest / 127)
        codes = torch.round(differences / steps.view(-1, *([1] * (differences.ndim - 1))))
        return codes.to(torch.int8), steps
    return differences.to(torch.float16 if storage == "fp16" else torch.float32), ones


class ResidualBank(nn.Module):
    """In place of a :class:`KernelBank`: ``alpha: (B, k) -> (B, N)``.

    Attributes:
        mean: ``(N,)``, in 32 bits.
        codes: ``(k - 1, N)`` or, for a channels-last runtime, ``(N, k - 1)``, as stored.
        coefficients: ``alpha -> (alpha_i - abar_i) step_i``.
    """

    mean: Tensor
    codes: Tensor

    def __init__(self, bank: nn.Module, alpha_mean: Tensor, storage: str) -> None:
        super().__init__()
        if not isinstance(bank, KernelBank):
            raise TypeError(f"{type(bank).__name__} is no KernelBank")
        self.transposed = bank.transposed
        weight = (bank.weight.T if self.transposed else bank.weight).double()
        dtype = bank.weight.dtype
        codes, steps = store(weight[:-1] - weight[-1:], storage)
        self.register_buffer("mean", (alpha_mean @ weight).to(dtype))
        self.register_buffer("codes", (codes.T if self.transposed else codes).contiguous())
        selected = torch.eye(len(weight), dtype=torch.float64)[:-1] * steps[:, None]
        self.coefficients = nn.Linear(len(weight), len(weight) - 1, dtype=dtype)
        self.coefficients.weight = nn.Parameter(selected.to(dtype), requires_grad=False)
        self.coefficients.bias = nn.Parameter(-(selected @ alpha_mean).to(dtype), requires_grad=False)

    def forward(self, alpha: Tensor) -> Tensor:
        """Mix: ``(B, k) -> (B, N)``."""
        scale = self.coefficients(alpha)
        codes = self.codes.to(scale.dtype)
        if self.transposed:
            return nn.functional.linear(scale, codes, self.mean)
        return torch.matmul(scale, codes) + self.mean
