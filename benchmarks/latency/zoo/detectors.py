"""EfficientDet-Lite and SSD detectors as operator lists; the operators after the predictors left out."""

from __future__ import annotations

import math

from benchmarks.latency.zoo.mobile_nas import B0, LITE, inverted_residual
from benchmarks.latency.zoo.mobilenet import V1_BLOCKS, V2_BLOCKS
from benchmarks.latency.zoo.residual import DEPTHS
from benchmarks.latency.zoo.tape import Tape, make_divisible

# backbone, channels and repeats of the pyramid, repeats of the heads
EFFICIENTDET = {
    "0": (0, 64, 3, 3), "1": (1, 88, 4, 3), "2": (2, 112, 5, 3), "3": (3, 160, 6, 4), "3x": (3, 200, 6, 4), "4": (4, 224, 7, 4),
}  # fmt: skip
CLASSES, ANCHORS = 90, 9


def at(t: Tape, channels: int, px: int) -> Tape:
    """Go on from another map."""
    t.channels, t.px = channels, px
    return t


def efficientdet_lite(name: str, px: int) -> Tape:
    """Tan et al. 2019 (arXiv 1911.09070), the Lite forms: ReLU6, sums without weights, no squeeze-excite."""
    index, channels, repeats, head = EFFICIENTDET[name]
    width, depth = LITE[index]
    t, maps = Tape(3, px).conv(32, 3, 2), {}
    for stage, (expand, kernel, stride, out, times) in enumerate(B0):
        fixed = stage in (0, len(B0) - 1)
        for i in range(times if fixed else math.ceil(times * depth)):
            inverted_residual(t, expand, kernel, stride if i == 0 else 1, make_divisible(out * width))
        if stage in (2, 4, 6):
            maps[len(maps) + 3] = (t.channels, t.px)
    t.conv(channels).pool(3, 2)
    sides = {level: p for level, (_, p) in maps.items()} | {6: t.px}
    sides[7] = t.pool(3, 2).px
    for cell in range(repeats):
        _pyramid_cell(t, channels, sides, maps if cell == 0 else {})
    for out in (CLASSES * ANCHORS, 4 * ANCHORS):
        for side in sides.values():
            at(t, channels, side)
            for _ in range(head):
                t.depthwise().conv(channels)
            t.depthwise().conv(out)
    return t


def _pyramid_cell(t: Tape, channels: int, sides: dict[int, int], backbone: dict[int, tuple[int, int]]) -> None:
    """Down to the largest map and up again; in the first cell the backbone's maps are resized first."""

    def node(level: int, operands: int) -> None:
        at(t, channels, sides[level])
        for _ in range(operands - 1):
            t.elementwise(2)
        t.depthwise().conv(channels)

    def entering(level: int) -> None:
        if level in backbone:
            at(t, *backbone[level]).conv(channels)

    for level in (6, 5, 4, 3):
        at(t, channels, sides[level]).movement()
        entering(level)
        node(level, 2)
    for level in (4, 5, 6, 7):
        at(t, channels, sides[level - 1]).pool(3, 2)
        if level in (4, 5):
            entering(level)
        node(level, 2 if level == 7 else 3)


def ssd_mobilenet_v2(px: int, *, lite: bool) -> Tape:
    """Liu et al. 2016 (arXiv 1512.02325) on MobileNetV2 (Sandler et al. 2018); lite: separable predictors."""
    t, maps = Tape(3, px).conv(32, 3, 2), []
    for expand, out, repeats, first in V2_BLOCKS:
        for i in range(repeats):
            stride, cin = (first if i == 0 else 1), t.channels
            if expand > 1:
                t.conv(cin * expand)
                if out == 160 and i == 0:
                    maps.append((t.channels, t.px))
            t.depthwise(3, stride).conv(out)
            if stride == 1 and cin == out:
                t.elementwise(2)
    t.conv(1280)
    maps.append((t.channels, t.px))
    for mid, out in ((256, 512), (128, 256), (128, 256), (64, 128)):
        t.conv(mid)
        if lite:
            t.depthwise(3, 2).conv(out)
        else:
            t.conv(out, 3, 2)
        maps.append((t.channels, t.px))
    for i, (channels, side) in enumerate(maps):
        for out in (4, 91):
            at(t, channels, side)
            anchors = 3 if i == 0 else 6
            if lite:
                t.depthwise().conv(out * anchors)
            else:
                t.conv(out * anchors, 3)
    return t


def ssd_fpn(backbone: str, px: int) -> Tape:
    """RetinaNet-like SSD of the TensorFlow detection zoo: pyramid of 256 channels, four 3x3 convolutions a head."""
    t = Tape(3, px)
    maps = _mobilenet_maps(t) if backbone == "mobilenet_v1" else _resnet50_maps(t)
    at(t, *maps[2]).conv(256)
    for channels, side in (maps[1], maps[0]):
        at(t, 256, side).movement()
        at(t, channels, side).conv(256).elementwise(2).conv(256, 3)
    sides = [side for _, side in maps]
    at(t, 256, sides[2]).conv(256, 3, 2)
    sides.append(t.px)
    sides.append(t.conv(256, 3, 2).px)
    for side in sides:
        for out in (6 * 4, 6 * 91):
            at(t, 256, side)
            for _ in range(4):
                t.conv(256, 3)
            t.conv(out, 3)
    return t


def _mobilenet_maps(t: Tape) -> list[tuple[int, int]]:
    maps = []
    t.conv(32, 3, 2)
    for out, stride in V1_BLOCKS:
        if stride == 2 and out >= 512:
            maps.append((t.channels, t.px))
        t.depthwise(3, stride).conv(out)
    return [*maps, (t.channels, t.px)]


def _resnet50_maps(t: Tape) -> list[tuple[int, int]]:
    maps = []
    t.conv(64, 7, 2).pool(3, 2)
    for stage, repeats in enumerate(DEPTHS[50]):
        for i in range(repeats):
            base, stride = 64 * 2**stage, 2 if stage > 0 and i == 0 else 1
            cin, px_in = t.channels, t.px
            t.conv(base, 1, stride).conv(base, 3).conv(4 * base)
            if i == 0:
                px_out = t.px
                at(t, cin, px_in).conv(4 * base, 1, stride)
                t.px = px_out
            t.elementwise(2)
        if stage:
            maps.append((t.channels, t.px))
    return maps
