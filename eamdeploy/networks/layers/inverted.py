"""The inverted residual block of MobileNetV2 (Sandler et al. 2018) with V3's optional gate (Howard et al. 2019)."""

from __future__ import annotations

from torch import Tensor, nn

from eamdeploy.networks.layers.blocks import ConvMaker, SqueezeExcite


class InvertedResidual(nn.Module):
    """Expand 1x1, depthwise, gate, project 1x1; added to its input where the shapes agree.

    ``(B, C, H, W) -> (B, O, H', W')``.
    """

    def __init__(
        self,
        conv: ConvMaker,
        channels: int,
        expanded: int,
        out: int,
        *,
        kernel: int,
        stride: int,
        act: str,
        gate: bool,
        hidden: int = 0,
        gate_act: str = "relu",
    ) -> None:
        super().__init__()
        self.residual = stride == 1 and channels == out
        self.expand = conv(channels, expanded, act=act) if expanded != channels else nn.Identity()
        self.depthwise = conv(expanded, expanded, kernel=kernel, stride=stride, groups=expanded, act=act)
        self.gate = SqueezeExcite(expanded, hidden, gate_act) if gate else nn.Identity()
        self.project = conv(expanded, out, act="none")

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        y: Tensor = self.project(self.gate(self.depthwise(self.expand(x))))
        return x + y if self.residual else y
