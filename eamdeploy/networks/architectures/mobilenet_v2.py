"""MobileNetV2: Sandler et al. 2018, "Inverted Residuals and Linear Bottlenecks", arXiv 1801.04381, table 2."""

from __future__ import annotations

from torch import nn

from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.layers.blocks import ConvMaker, make_divisible, small_strides
from eamdeploy.networks.layers.inverted import InvertedResidual
from eamdeploy.networks.spec import ArchSpec

# expansion, output channels, repeats, stride of the first
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def mobilenet_v2(spec: ArchSpec) -> Network:
    """MobileNetV2 as ``spec`` asks; the last convolution does not shrink below 1280."""
    conv = ConvMaker(spec)
    strides = small_strides([2, *(stage[3] for stage in STAGES)], spec.input_px)
    channels = make_divisible(32 * spec.width)
    stem = conv(spec.in_channels, channels, kernel=3, stride=strides[0], act="relu6")
    blocks = nn.Sequential()
    for (expansion, full, repeats, _), stride in zip(STAGES, strides[1:], strict=True):
        out = make_divisible(full * spec.width)
        for index in range(repeats):
            step = stride if index == 0 else 1
            blocks.append(
                InvertedResidual(
                    conv, channels, channels * expansion, out, kernel=3, stride=step, act="relu6", gate=False
                )
            )
            channels = out
    last = make_divisible(1280 * max(1.0, spec.width))
    blocks.append(conv(channels, last, act="relu6"))
    return Network(spec, stem, blocks, nn.Identity(), nn.Linear(last, spec.classes))
