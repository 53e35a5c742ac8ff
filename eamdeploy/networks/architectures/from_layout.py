"""A MobileNet from a description of its blocks, in place of its paper's table."""

from __future__ import annotations

from torch import nn

from eamdeploy.networks.architectures.mobilenet_v1 import SeparableBlock
from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.layers.blocks import ConvMaker, make_activation, small_strides
from eamdeploy.networks.layers.inverted import InvertedResidual
from eamdeploy.networks.layout import Layout
from eamdeploy.networks.spec import ArchSpec


def from_layout(spec: ArchSpec, layout: Layout) -> Network:
    """The network that ``layout`` describes, of the kind of blocks that ``spec.arch`` has."""
    conv = ConvMaker(spec)
    strides = small_strides([2, *(row.stride for row in layout.blocks)], spec.input_px)
    channels = layout.stem
    stem = conv(spec.in_channels, channels, kernel=3, stride=strides[0], act=layout.act)
    blocks = nn.Sequential()
    for row, stride in zip(layout.blocks, strides[1:], strict=True):
        if spec.arch == "mobilenet_v1":
            depthwise = conv(channels, channels, kernel=row.kernel, stride=stride, groups=channels, act=row.act)
            blocks.append(SeparableBlock(depthwise, conv(channels, row.out, act=row.act)))
        else:
            block = InvertedResidual(
                conv,
                channels,
                row.expanded,
                row.out,
                kernel=row.kernel,
                stride=stride,
                act=row.act,
                gate=row.gate > 0,
                hidden=row.gate,
                gate_act=row.gate_act,
            )
            block.residual = block.residual and row.skip
            blocks.append(block)
        channels = row.out
    for _ in range(layout.lasts if layout.last else 0):
        blocks.append(conv(channels, layout.last, act=layout.act))
        channels = layout.last
    head: nn.Module = nn.Identity()
    if layout.hidden:
        head = nn.Sequential(nn.Linear(channels, layout.hidden), make_activation(layout.act))
        channels = layout.hidden
    return Network(spec, stem, blocks, head, nn.Linear(channels, spec.classes))
