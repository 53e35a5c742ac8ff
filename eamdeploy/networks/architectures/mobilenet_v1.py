"""MobileNetV1: Howard et al. 2017, "MobileNets", arXiv 1704.04861, table 1."""

from __future__ import annotations

from torch import Tensor, nn

from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.layers.blocks import ConvBnAct, ConvMaker, small_strides
from eamdeploy.networks.spec import ArchSpec

# output channels and stride of each depthwise separable block at width 1.0
BLOCKS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1),
    (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip


class SeparableBlock(nn.Module):
    """A depthwise 3x3 and a pointwise convolution, each with batch norm and activation."""

    def __init__(self, depthwise: ConvBnAct, pointwise: ConvBnAct) -> None:
        super().__init__()
        self.depthwise, self.pointwise = depthwise, pointwise

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W) -> (B, O, H', W')``."""
        y: Tensor = self.pointwise(self.depthwise(x))
        return y


def mobilenet_v1(spec: ArchSpec) -> Network:
    """MobileNetV1 as ``spec`` asks. Channel counts are rounded down, to at least 8, as in the reference."""
    conv = ConvMaker(spec)
    strides = small_strides([2, *(stride for _, stride in BLOCKS)], spec.input_px)
    channels = max(8, int(32 * spec.width))
    stem = conv(spec.in_channels, channels, kernel=3, stride=strides[0])
    blocks = nn.Sequential()
    for (full, _), stride in zip(BLOCKS, strides[1:], strict=True):
        out = max(8, int(full * spec.width))
        depthwise = conv(channels, channels, kernel=3, stride=stride, groups=channels)
        blocks.append(SeparableBlock(depthwise, conv(channels, out)))
        channels = out
    return Network(spec, stem, blocks, nn.Identity(), nn.Linear(channels, spec.classes))
