"""What a lowering is given, what it answers, and the module it makes.

All lowered modules compute ``x: (B, C, H, W) -> (B, O, H', W')``, channels first; one made for a channels-last runtime
permutes inside, in pairs that the converter cancels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.layers.mixed_conv import CONVEX, MixedConv2d, MixingBounds
from eamdeploy.networks.layers.rewritten import LowRankConv2d
from export.lowerings.attention import LoweredAttention
from export.planning.target import Target


class ConvolutionLayer(Protocol):
    """What every form of a dynamic convolution has; fields as in ``AttentionConv2d``."""

    bias: nn.Parameter | None
    kernels: int
    in_channels: int
    out_channels: int
    groups: int
    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]


class ConvolutionSite(Protocol):
    """Such a layer where it stands; fields as in :class:`LayerSite`."""

    @property
    def layer(self) -> ConvolutionLayer:
        """The layer."""

    @property
    def input_hw(self) -> tuple[int, int]:
        """Height and width of its input map."""

    @property
    def output_hw(self) -> tuple[int, int]:
        """Height and width of its output map."""


def output_size(input_hw: tuple[int, int], layer: ConvolutionLayer) -> tuple[int, int]:
    """Height and width of the map that ``layer`` makes of one of ``input_hw``."""
    height, width = (
        (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        for size, padding, dilation, kernel, stride in zip(
            input_hw, layer.padding, layer.dilation, layer.kernel_size, layer.stride, strict=True
        )
    )
    return height, width


def layer_kind(layer: ConvolutionLayer) -> str:
    """``pointwise``, ``depthwise``, ``grouped`` or ``full``."""
    if layer.groups == layer.in_channels == layer.out_channels:
        return "depthwise"
    if layer.groups > 1:
        return "grouped"
    return "pointwise" if layer.kernel_size == (1, 1) else "full"


# banks of at least this many elements per kernel are stored as differences where that saves reading
DIFFERENCES_FROM_ELEMENTS = 16_384


@dataclass(frozen=True)
class LayerSite:
    """One dynamic convolution where it stands in a network.

    Attributes:
        path: its module path, such as ``blocks.3.pointwise.conv``.
        layer: the layer, batch norm already folded in.
        input_hw: height and width of its input map.
    """

    path: str
    layer: MixedConv2d
    input_hw: tuple[int, int]

    @property
    def output_hw(self) -> tuple[int, int]:
        """Height and width of its output map."""
        return output_size(self.input_hw, self.layer)

    @property
    def kind(self) -> str:
        """``pointwise``, ``depthwise``, ``grouped`` or ``full``."""
        return layer_kind(self.layer)


@dataclass(frozen=True)
class Refusal:
    """Why a lowering does not serve a layer on a target."""

    lowering: str
    reason: str


def refuse_gate(name: str, site: LayerSite) -> Refusal | None:
    """A refusal by lowerings that have no place for a gate on the taps of the kernel."""
    if site.layer.gated:
        return Refusal(name, "the taps of its kernel have a gate of their own, which constant kernels cannot hold")
    return None


def refuse_unless_own(name: str, site: LayerSite) -> Refusal | None:
    """A refusal by rewrites of layers that bring their attention, whose weights sum to 1."""
    if not isinstance(site.layer, AttentionConv2d):
        return Refusal(name, "its mixing weights come from elsewhere in the network")
    if not site.layer.bounds.convex:
        return Refusal(name, "its mixing weights do not sum to 1")
    return None


class Lowering(Protocol):
    """Makes an equivalent module out of a dynamic convolution."""

    @property
    def name(self) -> str:
        """What ``--lowering`` and the plan call it."""

    @property
    def summary(self) -> str:
        """One line for help texts and tables."""

    def applies(self, site: LayerSite, target: Target) -> Refusal | None:
        """``None`` where it serves, else the reason why not."""

    def __call__(self, site: LayerSite, target: Target) -> nn.Module:
        """The equivalent module. Its parameters are buffers: nothing in it is trained."""


class LoweredConv(nn.Module):
    """A dynamic convolution in some lowered form: attention, then :meth:`convolve` under its weights.

    A layer whose mixing weights are given to it has no attention of its own: :meth:`forward` takes them.

    Attributes:
        attention: ``x -> alpha: (B, k)``, or ``None``.
        static_bias: ``(O,)`` where all kernels share one bias (a folded batch norm) or one is not mixed, else ``None``.
        dynamic_bias: ``(k, O)`` where they do not, else ``None``.
    """

    static_bias: Tensor | None
    dynamic_bias: Tensor | None

    def __init__(self, site: ConvolutionSite, target: Target) -> None:
        super().__init__()
        layer = site.layer
        attention = layer.attention if isinstance(layer, (AttentionConv2d, LowRankConv2d)) else None
        self.attention = None if attention is None else LoweredAttention(attention, site.input_hw, target)
        self.bounds: MixingBounds = layer.bounds if isinstance(layer, MixedConv2d) else CONVEX
        self.kernels, self.out_channels, self.groups = layer.kernels, layer.out_channels, layer.groups
        self.kernel_size, self.stride, self.padding, self.dilation = (
            layer.kernel_size,
            layer.stride,
            layer.padding,
            layer.dilation,
        )
        self.channels_last = target.channels_last
        self.output_hw = site.output_hw
        bias = None if layer.bias is None else layer.bias.detach()
        shift = layer.shift.detach() if isinstance(layer, MixedConv2d) and layer.shift is not None else None
        # weights that sum to 1 leave a bias that all kernels share as it is
        shared = bias is not None and self.bounds.convex and bool((bias == bias[:1]).all())
        static = cast(Tensor, bias)[0] if shared else None
        if shift is not None:
            static = shift if static is None else static + shift
        self.register_buffer("static_bias", None if static is None else static.clone())
        self.register_buffer("dynamic_bias", bias.clone() if bias is not None and not shared else None)

    def mixed(self, kernels: Tensor, target: Target) -> KernelBank:
        """``kernels: (k, ...)`` as a bank that this layer's weights mix."""
        return KernelBank(kernels, target, convex=self.bounds.convex)

    def convolve(self, x: Tensor, alpha: Tensor, taps: Tensor | None = None) -> Tensor:
        """The convolution under ``alpha: (B, k)``; a lowering without a place for ``taps`` refuses gated layers."""
        raise NotImplementedError

    def bias(self, alpha: Tensor) -> Tensor | None:
        """The bias of each image, ``(O,)`` or ``(B, O)``, or ``None``."""
        if self.dynamic_bias is not None:
            mixed = alpha @ self.dynamic_bias
            return mixed if self.static_bias is None else mixed + self.static_bias
        return self.static_bias

    def add_bias(self, y: Tensor, alpha: Tensor) -> Tensor:
        """``y: (B, O, H, W)`` plus the bias."""
        bias = self.bias(alpha)
        if bias is None:
            return y
        return y + (bias[:, :, None, None] if bias.ndim == 2 else bias[:, None, None])

    def forward(self, x: Tensor, alpha: Tensor | None = None, taps: Tensor | None = None) -> Tensor:
        """``x: (B, C, H, W) -> (B, O, H', W')``."""
        if alpha is None:
            if self.attention is None:
                raise TypeError("a layer without an attention is called with its mixing weights")
            alpha = self.attention(x)
        return self.convolve(x, alpha) if taps is None else self.convolve(x, alpha, taps)


class KernelBank(nn.Module):
    """The k kernels as one matrix, mixed into one kernel per image: ``alpha: (B, k) -> (B, N)``.

    A runtime reads the whole matrix once per image: its layout decides the speed. ONNX Runtime is given ``(k, N)`` and a
    matrix product. LiteRT is given ``(N, k)`` and a fully connected layer, which its delegate takes; the delegate packs a bias
    beside every row whether there is one or not, so where the weights stay in float32 the last kernel is that bias:
    ``sum_i alpha_i K_i = K_k + sum_{i<k} alpha_i (K_i - K_k)``, because the weights sum to 1. That is a fifth less to read.
    ncnn is given the differences as a matrix product as well: starting from the last kernel instead of zeros is a quarter
    of the multiplications less.

    Attributes:
        weight: ``(k, N)``, ``(N, k)``, or ``(k - 1, N)``, ``(N, k - 1)`` with ``last``.
        last: ``(N,)``, or ``None``.
    """

    weight: Tensor
    last: Tensor | None

    def __init__(self, kernels: Tensor, target: Target, *, convex: bool = True) -> None:
        super().__init__()
        flat = kernels.detach().flatten(1)
        self.transposed = target.channels_last
        self.differences = (
            (self.transposed or target.runtime == "ncnn")
            and convex
            and target.precision == "fp32"
            and len(flat) > 1
            and flat.shape[1] >= DIFFERENCES_FROM_ELEMENTS
        )
        stored = flat[:-1] - flat[-1:] if self.differences else flat
        self.register_buffer("weight", (stored.T if self.transposed else stored).contiguous().clone())
        self.register_buffer("last", flat[-1].clone() if self.differences else None)

    def forward(self, alpha: Tensor) -> Tensor:
        """Mix: ``(B, k) -> (B, N)``."""
        if self.last is not None:
            if not self.transposed:
                return torch.matmul(alpha[:, :-1], self.weight) + self.last
            return nn.functional.linear(alpha[:, :-1], self.weight, self.last)
        return nn.functional.linear(alpha, self.weight) if self.transposed else torch.matmul(alpha, self.weight)
