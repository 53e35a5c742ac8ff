"""Inverted-residual networks found by search: EfficientNet, its Lite and V2 forms, MnasNet, ProxylessNAS."""

from __future__ import annotations

import math

from benchmarks.latency.zoo.tape import Tape, make_divisible

# expand, kernel, stride, out, repeats
B0 = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
LITE = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2), 3: (1.2, 1.4), 4: (1.4, 1.8)}
# fused, expand, kernel, stride, out, repeats
V2_B0 = (
    (True, 1, 3, 1, 16, 1), (True, 4, 3, 2, 32, 2), (True, 4, 3, 2, 48, 2),
    (False, 4, 3, 2, 96, 3), (False, 6, 3, 1, 112, 5), (False, 6, 3, 2, 192, 8),
)  # fmt: skip
MNASNET = ((3, 3, 2, 24, 3), (3, 5, 2, 40, 3), (6, 5, 2, 80, 3), (6, 3, 1, 96, 2), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1))
PROXYLESS_MOBILE = (  # kernel, expand of each block of a stage; then out, stride
    (((5, 3), (3, 3)), 32, 2), (((7, 3), (3, 3), (5, 3), (5, 3)), 40, 2), (((7, 6), (5, 3), (5, 3), (5, 3)), 80, 2),
    (((5, 6), (5, 3), (5, 3), (5, 3)), 96, 1), (((7, 6), (7, 6), (7, 3), (7, 3)), 192, 2), (((7, 6),), 320, 1),
)  # fmt: skip


def inverted_residual(
    t: Tape, expand: float, kernel: int, stride: int, out: int, *, se: bool = False, swish: bool = False
) -> None:
    """Expand, filter, (squeeze-excite), project, add where the shapes agree."""
    cin = t.channels
    if expand != 1:
        t.conv(round(cin * expand))
        if swish:
            t.elementwise()
    t.depthwise(kernel, stride)
    if swish:
        t.elementwise()
    if se:
        t.squeeze_excite(max(1, cin // 4))
    t.conv(out)
    if stride == 1 and cin == out:
        t.elementwise(2)


def efficientnet(width: float, depth: float, px: int, *, lite: bool) -> Tape:
    """Tan & Le 2019 (arXiv 1905.11946); Lite: ReLU6, no squeeze-excite, stem and head not scaled."""
    t = Tape(3, px).conv(32 if lite else make_divisible(32 * width), 3, 2)
    if not lite:
        t.elementwise()
    for stage, (expand, kernel, stride, out, repeats) in enumerate(B0):
        fixed = lite and stage in (0, len(B0) - 1)
        for i in range(repeats if fixed else math.ceil(repeats * depth)):
            inverted_residual(
                t, expand, kernel, stride if i == 0 else 1, make_divisible(out * width), se=not lite, swish=not lite
            )
    t.conv(1280 if lite else make_divisible(1280 * width))
    if not lite:
        t.elementwise()
    return t.global_pool().fc(1000)


def efficientnet_lite(index: int, px: int) -> Tape:
    """EfficientNet-Lite 0 to 4."""
    return efficientnet(*LITE[index], px, lite=True)


def efficientnet_v2_b0(px: int) -> Tape:
    """Tan & Le 2021 (arXiv 2104.00298)."""
    t = Tape(3, px).conv(32, 3, 2).elementwise()
    for fused, expand, kernel, stride, out, repeats in V2_B0:
        for i in range(repeats):
            s, cin = (stride if i == 0 else 1), t.channels
            if not fused:
                inverted_residual(t, expand, kernel, s, out, se=True, swish=True)
                continue
            t.conv(cin * expand if expand > 1 else out, kernel, s).elementwise()
            if expand > 1:
                t.conv(out)
            if s == 1 and cin == out:
                t.elementwise(2)
    return t.conv(1280).elementwise().global_pool().fc(1000)


def mnasnet(width: float, px: int) -> Tape:
    """MnasNet-B1 (Tan et al. 2019, arXiv 1807.11626) as in torchvision."""
    t = Tape(3, px).conv(make_divisible(32 * width), 3, 2).depthwise().conv(make_divisible(16 * width))
    for expand, kernel, stride, out, repeats in MNASNET:
        for i in range(repeats):
            inverted_residual(t, expand, kernel, stride if i == 0 else 1, make_divisible(out * width))
    return t.conv(1280).global_pool().fc(1000)


def proxylessnas(px: int) -> Tape:
    """ProxylessNAS-Mobile (Cai et al. 2019, arXiv 1812.00332)."""
    t = Tape(3, px).conv(32, 3, 2)
    inverted_residual(t, 1, 3, 1, 16)
    for blocks, out, stride in PROXYLESS_MOBILE:
        for i, (kernel, expand) in enumerate(blocks):
            inverted_residual(t, expand, kernel, stride if i == 0 else 1, out)
    return t.conv(1280).global_pool().fc(1000)
