"""MobileNetV3: Howard et al. 2019, "Searching for MobileNetV3", arXiv 1905.02244, tables 1 and 2."""

from __future__ import annotations

from torch import nn

from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.layers.blocks import ConvMaker, make_divisible, small_strides
from eamdeploy.networks.layers.inverted import InvertedResidual
from eamdeploy.networks.spec import ArchSpec

# kernel, expanded channels, output channels, gate, activation, stride
LARGE = (
    (3, 16, 16, False, "relu", 1), (3, 64, 24, False, "relu", 2), (3, 72, 24, False, "relu", 1),
    (5, 72, 40, True, "relu", 2), (5, 120, 40, True, "relu", 1), (5, 120, 40, True, "relu", 1),
    (3, 240, 80, False, "hswish", 2), (3, 200, 80, False, "hswish", 1), (3, 184, 80, False, "hswish", 1),
    (3, 184, 80, False, "hswish", 1), (3, 480, 112, True, "hswish", 1), (3, 672, 112, True, "hswish", 1),
    (5, 672, 160, True, "hswish", 2), (5, 960, 160, True, "hswish", 1), (5, 960, 160, True, "hswish", 1),
)  # fmt: skip
SMALL = (
    (3, 16, 16, True, "relu", 2), (3, 72, 24, False, "relu", 2), (3, 88, 24, False, "relu", 1),
    (5, 96, 40, True, "hswish", 2), (5, 240, 40, True, "hswish", 1), (5, 240, 40, True, "hswish", 1),
    (5, 120, 48, True, "hswish", 1), (5, 144, 48, True, "hswish", 1), (5, 288, 96, True, "hswish", 2),
    (5, 576, 96, True, "hswish", 1), (5, 576, 96, True, "hswish", 1),
)  # fmt: skip


def mobilenet_v3(spec: ArchSpec) -> Network:
    """MobileNetV3-Large or -Small as ``spec`` asks."""
    table, hidden = (LARGE, 1280) if spec.arch == "mobilenet_v3_large" else (SMALL, 1024)
    conv = ConvMaker(spec)
    strides = small_strides([2, *(row[5] for row in table)], spec.input_px)
    channels = make_divisible(16 * spec.width)
    stem = conv(spec.in_channels, channels, kernel=3, stride=strides[0], act="hswish")
    blocks = nn.Sequential()
    for (kernel, expanded, full, gate, act, _), stride in zip(table, strides[1:], strict=True):
        wide, out = make_divisible(expanded * spec.width), make_divisible(full * spec.width)
        blocks.append(InvertedResidual(conv, channels, wide, out, kernel=kernel, stride=stride, act=act, gate=gate))
        channels = out
    blocks.append(conv(channels, 6 * channels, act="hswish"))
    hidden = make_divisible(hidden * spec.width)
    head = nn.Sequential(nn.Linear(6 * channels, hidden), nn.Hardswish())
    return Network(spec, stem, blocks, head, nn.Linear(hidden, spec.classes))
