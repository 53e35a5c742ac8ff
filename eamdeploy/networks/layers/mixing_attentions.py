"""What decides how the kernels of a drop-in dynamic convolution are mixed, in the four best known forms."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eamdeploy.base.errors import UsageError, did_you_mean
from eamdeploy.networks.layers.attention import make_attention
from eamdeploy.networks.spec import ArchSpec

ATTENTIONS = ("eam", "dynet", "condconv", "odconv")
ODCONV_REDUCTION, ODCONV_LEAST_HIDDEN = 16, 16


class MixingWeights(NamedTuple):
    """Mixing weights ``(B, k)`` and gates ``(B, C)``, ``(B, O)``, ``(B, kh kw)`` where there are any."""

    alpha: Tensor
    inputs: Tensor | None = None
    outputs: Tensor | None = None
    taps: Tensor | None = None


class MixingAttention(nn.Module):
    """``x: (B, C, H, W) ->`` :class:`MixingWeights`."""

    def settle(self) -> float:
        """Make the gates constant to begin with; what a kernel must be multiplied by to come out as it is."""
        return 1.0


class ConvexAttention(MixingAttention):
    """EAM-DyNet's and DyNet's: see :class:`~eamdeploy.networks.layers.attention.Attention`."""

    def __init__(self, kind: str, channels: int, kernels: int, temperature: float, seed: int) -> None:
        super().__init__()
        spec = ArchSpec(conv=kind, kernels=kernels, temperature=temperature)
        self.weights = make_attention(spec, channels, torch.Generator().manual_seed(seed))

    def forward(self, x: Tensor) -> MixingWeights:
        """Weights that sum to 1."""
        return MixingWeights(self.weights(x))


class SigmoidRouting(MixingAttention):
    """CondConv's: global average pooling, one linear layer, sigmoids."""

    def __init__(self, channels: int, kernels: int) -> None:
        super().__init__()
        self.routing = nn.Linear(channels, kernels)

    def forward(self, x: Tensor) -> MixingWeights:
        """Weights between 0 and 1 each."""
        return MixingWeights(torch.sigmoid(self.routing(x.mean(dim=(2, 3)))))

    @torch.no_grad()
    def settle(self) -> float:
        """Every weight starts at a half."""
        self.routing.weight.zero_()
        self.routing.bias.zero_()
        return 2 / self.routing.out_features


class OmniAttention(MixingAttention):
    """ODConv's: one hidden layer, a softmax over kernels, sigmoid gates on input channels, output channels and taps."""

    def __init__(self, channels: int, outputs: int, kernels: int, taps: int, temperature: float) -> None:
        super().__init__()
        hidden = max(channels // ODCONV_REDUCTION, ODCONV_LEAST_HIDDEN)
        self.fc, self.norm = nn.Linear(channels, hidden, bias=False), nn.BatchNorm1d(hidden)
        self.kernel_fc, self.input_fc = nn.Linear(hidden, kernels), nn.Linear(hidden, channels)
        self.output_fc, self.tap_fc = nn.Linear(hidden, outputs), nn.Linear(hidden, taps)
        self.temperature = temperature

    def forward(self, x: Tensor) -> MixingWeights:
        """Weights that sum to 1, and three gates between 0 and 1."""
        z = F.relu(self.norm(self.fc(x.mean(dim=(2, 3)))))
        gates = [torch.sigmoid(layer(z)) for layer in (self.input_fc, self.output_fc, self.tap_fc)]
        return MixingWeights(torch.softmax(self.kernel_fc(z) / self.temperature, dim=1), *gates)

    @torch.no_grad()
    def settle(self) -> float:
        """Every gate starts at a half, so that three of them leave an eighth."""
        for layer in (self.input_fc, self.output_fc, self.tap_fc):
            layer.weight.zero_()
            layer.bias.zero_()
        return 8.0


def make_mixing_attention(
    kind: str, channels: int, outputs: int, *, kernels: int, taps: int, temperature: float, seed: int
) -> MixingAttention:
    """The attention called ``kind``.

    Raises:
        UsageError: for an unknown name.
    """
    if kind in ("eam", "dynet"):
        return ConvexAttention(kind, channels, kernels, temperature, seed)
    if kind == "condconv":
        return SigmoidRouting(channels, kernels)
    if kind == "odconv":
        return OmniAttention(channels, outputs, kernels, taps, temperature)
    raise UsageError(f"unknown attention '{kind}'", hint=did_you_mean(kind, ATTENTIONS))
