"""Dynamic convolutions for networks of your own: a drop-in for ``torch.nn.Conv2d``, and the conversion of whole networks.

from eamdeploy.networks import DynamicConv2d, convert

layer = DynamicConv2d(64, 128, 3, padding=1)        # as nn.Conv2d, with 4 kernels and EAM-DyNet's attention
network = convert(static_network, k=4)               # every convolution dynamic, the same function to begin with
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from eamdeploy.base.errors import UsageError
from eamdeploy.networks.layers.mixed_conv import CONVEX, MixedConv2d, MixingBounds, as_pair
from eamdeploy.networks.layers.mixing_attentions import ATTENTIONS, make_mixing_attention

IntOrPair = int | tuple[int, int]


class DynamicConv2d(MixedConv2d):
    """``x: (B, C, H, W) -> (B, O, H', W')`` under a kernel that is mixed for each image; arguments as ``torch.nn.Conv2d`` has them.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias: as of ``torch.nn.Conv2d``.
        attention: ``eam`` (Ding et al. 2021: few channels, 5x5 pooling, softmax), ``dynet`` (Chen et al. 2020: all channels, global
            pooling, softmax), ``condconv`` (Yang et al. 2019: a linear layer and sigmoids) or ``odconv`` (Li et al. 2022: softmax,
            and gates on input channels, output channels and taps).
        kernels: how many are mixed.
        temperature: of the softmaxes.
        seed: of the random channels that ``eam`` reads.
    """

    def __init__(  # noqa: PLR0917 -- takes what nn.Conv2d takes, in its order
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrPair,
        stride: IntOrPair = 1,
        padding: IntOrPair = 0,
        dilation: IntOrPair = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        attention: str = "eam",
        kernels: int = 4,
        temperature: float = 30.0,
        seed: int = 0,
    ) -> None:
        if kernels < 1 or in_channels % groups or out_channels % groups:
            raise UsageError(
                f"{kernels} kernels of {in_channels} to {out_channels} channels in {groups} groups are no convolution"
            )
        height, width = as_pair(kernel_size)
        bounds = MixingBounds(False, float(kernels), signed=False) if attention == "condconv" else CONVEX
        super().__init__(
            (kernels, out_channels, in_channels // groups, height, width),
            stride=as_pair(stride),
            padding=as_pair(padding),
            dilation=as_pair(dilation),
            groups=groups,
            shift=bias,
            bounds=bounds,
            gated=attention == "odconv",
        )
        self.attention = make_mixing_attention(
            attention,
            in_channels,
            out_channels,
            kernels=kernels,
            taps=height * width,
            temperature=temperature,
            seed=seed,
        )
        self.draw_kernels()

    def forward(self, x: Tensor, alpha: Tensor | None = None, taps: Tensor | None = None) -> Tensor:
        """``(B, C, H, W) -> (B, O, H', W')``; the attention gives ``alpha`` and the gates."""
        del alpha, taps
        mixing = self.attention(x)
        if mixing.inputs is not None:
            x = x * mixing.inputs[:, :, None, None]
        if mixing.outputs is None:
            return self.mix(x, mixing.alpha, mixing.taps)
        shift, self.shift = self.shift, None
        try:
            y = self.mix(x, mixing.alpha, mixing.taps) * mixing.outputs[:, :, None, None]
        finally:
            self.shift = shift
        return y if shift is None else y + shift[:, None, None]

    @torch.no_grad()
    def start_from(self, conv: nn.Conv2d, noise: float = 0.0) -> DynamicConv2d:
        """Take over a static convolution's weights, so that this layer is the same function to begin with.

        Args:
            noise: standard deviation of what is added to each kernel, relative to its output channel's root mean square: kernels
                that are alike would stay so in training.
        """
        scale = self.attention.settle()
        spread = noise * conv.weight.flatten(1).square().mean(1).sqrt()[:, None, None, None]
        self.bank.copy_(conv.weight * scale + scale * spread * torch.randn_like(self.bank))
        if self.shift is not None and conv.bias is not None:
            self.shift.copy_(conv.bias)
        return self


def convert(
    network: nn.Module,
    k: int = 4,
    *,
    attention: str = "eam",
    noise: float = 0.002,
    temperature: float = 30.0,
    seed: int = 0,
) -> nn.Module:
    """A copy of ``network`` whose every convolution is dynamic, and which is the same function to begin with.

    Convolutions that pad otherwise than with zeros stay static. Train it as it stands, then bring it in with
    ``eamdeploy import`` or :func:`eamdeploy.import_network`.

    Args:
        network: with ``torch.nn.Conv2d`` layers; it stays as it is.
        k: kernels of each layer.
        attention: as of :class:`DynamicConv2d`.
        noise: relative spread of the kernels of a layer; with 0 they would train alike.
        temperature: of the softmaxes.
        seed: of the random channels and the noise.

    Raises:
        UsageError: when it has no convolution, or the attention is not known.
    """
    converted = copy.deepcopy(network)
    convolutions = [(path, layer) for path, layer in converted.named_modules() if type(layer) is nn.Conv2d]
    layers = [
        (path, layer)
        for path, layer in convolutions
        if layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    ]
    if not layers:
        raise UsageError("the network has no convolution that can become dynamic")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for index, (path, layer) in enumerate(layers):
            replacement = DynamicConv2d(
                layer.in_channels,
                layer.out_channels,
                _pair(layer.kernel_size),
                _pair(layer.stride),
                _pair(layer.padding),
                _pair(layer.dilation),
                layer.groups,
                layer.bias is not None,
                attention=attention,
                kernels=k,
                temperature=temperature,
                seed=seed + index,
            ).start_from(layer, noise)
            replacement.train(layer.training)
            if not path:
                return replacement
            converted.set_submodule(path, replacement)
    return converted


def _pair(value: int | tuple[int, ...] | str) -> tuple[int, int]:
    if isinstance(value, str):
        raise UsageError(f"padding '{value}' has no number")
    return as_pair(value)


__all__ = ["ATTENTIONS", "DynamicConv2d", "convert"]
