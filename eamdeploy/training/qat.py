"""Quantization-aware training: forward in the arithmetic of the int8 export, backward straight through the rounding.

Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference"
(arXiv 1712.05877); the straight-through estimator is Bengio et al. 2013 (arXiv 1308.3432). What the export rounds is rounded here:

* maps, behind each activation, and what linear layers of head and classifier read, to 8 bits of a range that follows the data;
* constant kernels, per output channel; the kernels of a bank under the guaranteed scale of their channel, and once more the
  computed kernel W(x) under the same scale (:mod:`export.quantize.scales`).

A batch norm folded into a kernel scales whole output channels, which scales per channel absorb: the codes of the folded kernel are
those of the kernel itself. Parameters keep their names and values stay float, so that the result is an ordinary checkpoint.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eamdeploy.base.errors import UsageError, did_you_mean
from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.layers.blocks import ConvBnAct, SqueezeExcite
from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.layers.inverted import InvertedResidual

PRECISIONS = ("int8",)
FOLLOW = 0.05  # share of a batch's range in the running one
SMALLEST = 1e-8


class FakeQuantMap(nn.Module):
    """``inner``, its output rounded to 8 bits of a running range: ``(B, C, H, W) -> (B, O, H', W')``.

    The range is a running mean of the batches' extremes, followed in training mode alone. It is part of a run's state, not of
    the checkpoint.
    """

    low: Tensor
    high: Tensor

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.register_buffer("low", torch.zeros(()), persistent=False)
        self.register_buffer("high", torch.zeros(()), persistent=False)

    @property
    def has_range(self) -> bool:
        """Whether any map came by."""
        return bool(self.high > self.low)

    def forward(self, x: Tensor) -> Tensor:
        """The rounded output of ``inner``."""
        return self.round(self.inner(x))

    def round(self, y: Tensor) -> Tensor:
        """``y`` in 8 bits."""
        if self.training or not self.has_range:
            with torch.no_grad():
                share = FOLLOW if self.has_range else 1.0
                self.low.lerp_(y.min().clamp(max=0.0).to(self.low), share)
                self.high.lerp_(y.max().clamp(min=0.0).to(self.high), share)
        scale = ((self.high - self.low) / 255).clamp(min=SMALLEST)
        zero_point = torch.round(-self.low / scale).clamp(0, 255).to(torch.int32)
        rounded: Tensor = torch.fake_quantize_per_tensor_affine(y, scale, zero_point, 0, 255)
        return rounded


class FakeQuantConv2d(nn.Conv2d):
    """A convolution whose kernel is rounded to int8, per output channel."""

    @classmethod
    def of(cls, conv: nn.Conv2d) -> FakeQuantConv2d:
        """One that shares the parameters of ``conv``."""
        layer = cls(
            conv.in_channels, conv.out_channels, 1, groups=conv.groups, bias=conv.bias is not None, device="meta"
        )
        layer.kernel_size, layer.stride = conv.kernel_size, conv.stride
        layer.padding, layer.dilation = conv.padding, conv.dilation
        layer.weight, layer.bias = conv.weight, conv.bias
        return layer

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W) -> (B, O, H', W')``."""
        scale = (self.weight.detach().abs().amax(dim=(1, 2, 3)) / 127).clamp(min=SMALLEST)
        weight = _per_channel(self.weight, scale, axis=0)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class FakeQuantDynamicConv2d(AttentionConv2d):
    """A dynamic convolution whose bank, mixing weights and computed kernel are rounded as in the int8 export."""

    @classmethod
    def of(cls, layer: AttentionConv2d) -> FakeQuantDynamicConv2d:
        """One that shares the parameters and the attention of ``layer``."""
        twin = cls(
            layer.in_channels, layer.out_channels, layer.kernel_size, attention=layer.attention, kernels=layer.kernels,
            stride=layer.stride, padding=layer.padding, dilation=layer.dilation, groups=layer.groups,
        )  # fmt: skip
        twin.bank, twin.bias = layer.bank, layer.bias
        return twin

    def mix(self, x: Tensor, alpha: Tensor, taps: Tensor | None = None) -> Tensor:
        """The convolution under given weights ``alpha: (B, k)``; no layer with an attention of its own is gated."""
        del taps
        scale = (self.bank.detach().abs().amax(dim=(0, 2, 3, 4)) / 127).clamp(min=SMALLEST)
        bank = _per_channel(self.bank, scale, axis=1)
        rounded = torch.fake_quantize_per_tensor_affine(alpha, 1 / 255, 0, 0, 255)
        weight = (rounded @ bank.flatten(1)).unflatten(1, bank.shape[1:])  # (B, O, C/g, kh, kw)
        margin = 1 + self.kernels / 510
        weight = _per_channel(weight, scale * margin, axis=1)
        y = _convolve(x, weight, self)
        return y if self.bias is None else y + (alpha @ self.bias)[:, :, None, None]


class FakeQuantLinear(nn.Linear):
    """A linear layer that reads its input in 8 bits under a kernel rounded to int8, per output."""

    @classmethod
    def of(cls, linear: nn.Linear) -> FakeQuantLinear:
        """One that shares the parameters of ``linear``."""
        layer = cls(linear.in_features, linear.out_features, bias=linear.bias is not None, device="meta")
        layer.weight, layer.bias = linear.weight, linear.bias
        layer.add_module("rounded", FakeQuantMap(nn.Identity()))
        return layer

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C) -> (B, O)``."""
        scale = (self.weight.detach().abs().amax(dim=1) / 127).clamp(min=SMALLEST)
        rounded: Tensor = self.get_submodule("rounded")(x)
        return F.linear(rounded, _per_channel(self.weight, scale, axis=0), self.bias)


def prepare_qat(network: Network, precision: str = "int8") -> Network:
    """Give ``network`` the arithmetic of the export in ``precision``, in place; its parameters and their names stay.

    Raises:
        UsageError: for a precision that cannot be trained for.
    """
    if precision not in PRECISIONS:
        hint = did_you_mean(precision, PRECISIONS)
        raise UsageError(f"nothing can be trained for '{precision}'", where="`qat`", hint=hint)
    first = True
    for block in [module for module in network.modules() if isinstance(module, ConvBnAct)]:
        if isinstance(block.conv, AttentionConv2d):
            block.conv = FakeQuantDynamicConv2d.of(block.conv)
        elif isinstance(block.conv, nn.Conv2d):
            block.conv = FakeQuantConv2d.of(block.conv)
        block.act = FakeQuantMap(block.act)
        if first:
            block.pad, first = FakeQuantMap(block.pad), False
    network.classifier = FakeQuantLinear.of(network.classifier)
    for name, linear in [(n, m) for n, m in network.head.named_modules() if isinstance(m, nn.Linear)]:
        network.head.set_submodule(name, FakeQuantLinear.of(linear))
    for sum_or_product in [m for m in network.modules() if isinstance(m, (InvertedResidual, SqueezeExcite))]:
        if isinstance(sum_or_product, SqueezeExcite) or sum_or_product.residual:
            sum_or_product.add_module("rounded", FakeQuantMap(nn.Identity()))
            sum_or_product.register_forward_hook(_round_output)
    return network


def ranges_of(network: nn.Module) -> dict[str, Tensor]:
    """The running ranges ``(low, high)`` by module: with the weights, what training goes on from."""
    maps = [(name, module) for name, module in network.named_modules() if isinstance(module, FakeQuantMap)]
    return {name: torch.stack((module.low, module.high)) for name, module in maps}


def restore_ranges(network: nn.Module, ranges: dict[str, Tensor]) -> None:
    """The inverse of :func:`ranges_of`."""
    for name, bounds in ranges.items():
        module = network.get_submodule(name)
        if isinstance(module, FakeQuantMap):
            module.low.copy_(bounds[0])
            module.high.copy_(bounds[1])


def qat_precision(network: nn.Module) -> str | None:
    """What :func:`prepare_qat` prepared a network for, or ``None``."""
    return "int8" if any(isinstance(module, FakeQuantMap) for module in network.modules()) else None


def _round_output(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    """A forward hook that rounds a module's output by its ``rounded``."""
    del inputs
    rounded = module.get_submodule("rounded")
    result: Tensor = rounded(output)
    return result


def _per_channel(weight: Tensor, scale: Tensor, axis: int) -> Tensor:
    zero = torch.zeros(len(scale), dtype=torch.int32, device=scale.device)
    rounded: Tensor = torch.fake_quantize_per_channel_affine(weight, scale, zero, axis, -127, 127)
    return rounded


def _convolve(x: Tensor, weight: Tensor, layer: AttentionConv2d) -> Tensor:
    """Each image under its own kernel: ``x: (B, C, H, W)``, ``weight: (B, O, C/g, kh, kw)``."""
    pointwise = layer.kernel_size == (1, 1) and layer.stride == (1, 1) and layer.padding == (0, 0)
    if pointwise and layer.groups == 1:
        return (weight.flatten(2) @ x.flatten(2)).unflatten(2, x.shape[2:])
    batch = x.shape[0]
    y = F.conv2d(
        x.reshape(1, -1, *x.shape[2:]), weight.flatten(0, 1), None,
        layer.stride, layer.padding, layer.dilation, groups=batch * layer.groups,
    )  # fmt: skip
    return y.reshape(batch, -1, *y.shape[2:])
