"""Dynamic layers of any shape, for property tests."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor

from eamdeploy.networks.layers.attention import Attention
from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from export.rewrites.attention_stats import normalised_mean

SIZE = 6


@dataclass(frozen=True)
class Case:
    """A layer in float64 and mixing weights of some images, ``alpha: (N, k)``."""

    layer: AttentionConv2d
    alpha: Tensor

    @property
    def mean(self) -> Tensor:
        return normalised_mean(self.alpha)

    @property
    def covariance(self) -> Tensor:
        moves = self.alpha - self.mean
        return moves.T @ moves / len(self.alpha)

    def kernels(self) -> Tensor:
        """``W(x)`` of each image, ``(N, O, C/g, kh, kw)``."""
        return torch.tensordot(self.alpha, self.layer.bank.detach(), dims=1)


def make_layer(
    kernels: int, channels: int, out: int, size: int, groups: int, *, seed: int, scale: float = 1.0, bias: bool = False
) -> AttentionConv2d:
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        attention = Attention(
            channels, kernels, selection=None, selected=channels, hidden=3, pool="avg", pool_size=1, temperature=1.0
        )
        layer = AttentionConv2d(
            channels, out, size, attention=attention, kernels=kernels, padding=size // 2, groups=groups, bias=bias
        ).double()
    with torch.no_grad():
        layer.bank.copy_(scale * torch.randn(layer.bank.shape, generator=generator, dtype=torch.float64))
        if layer.bias is not None:
            layer.bias.copy_(torch.randn(layer.bias.shape, generator=generator, dtype=torch.float64))
    return layer.eval()


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any bank of 2 to 6 kernels, pointwise, depthwise, grouped or full; weights from nearly equal to one-hot."""
    kernels = draw(st.integers(2, 6))
    kind = draw(st.sampled_from(["pointwise", "depthwise", "grouped", "full"]))
    channels = draw(st.sampled_from([2, 4, 6]))
    groups = {"pointwise": 1, "full": 1, "grouped": 2, "depthwise": channels}[kind]
    out = channels if kind == "depthwise" else draw(st.sampled_from([2, 4, 6]))
    size = 1 if kind == "pointwise" else 3
    scale = draw(st.sampled_from([1e-3, 1.0, 1e3]))
    layer = make_layer(
        kernels, channels, out, size, groups, seed=draw(st.integers(0, 2**16)), scale=scale, bias=draw(st.booleans())
    )
    spread = draw(st.sampled_from([0.0, 1e-3, 0.3, 3.0, 40.0]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    logits = torch.randn(draw(st.integers(1, 8)), kernels, generator=generator, dtype=torch.float64)
    return Case(layer, torch.softmax(spread * logits, dim=1))
