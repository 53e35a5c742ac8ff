"""MobileNet V1, V2, V3 and V3 minimalistic as operator lists (1,001 classes, as in the TensorFlow files).

V1, V2 and V3 exist as real files too (see `benchmarks/latency/gather/artifacts.py`); these lists are what the files
are compared with, and the only source for the minimalistic networks.
"""

from __future__ import annotations

from benchmarks.latency.zoo.tape import Tape, make_divisible

V2_BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
# kernel, expanded, out, squeeze-excite, hard-swish, stride
V3_LARGE = (
    (3, 16, 16, 0, 0, 1), (3, 64, 24, 0, 0, 2), (3, 72, 24, 0, 0, 1), (5, 72, 40, 1, 0, 2), (5, 120, 40, 1, 0, 1),
    (5, 120, 40, 1, 0, 1), (3, 240, 80, 0, 1, 2), (3, 200, 80, 0, 1, 1), (3, 184, 80, 0, 1, 1), (3, 184, 80, 0, 1, 1),
    (3, 480, 112, 1, 1, 1), (3, 672, 112, 1, 1, 1), (5, 672, 160, 1, 1, 2), (5, 960, 160, 1, 1, 1),
    (5, 960, 160, 1, 1, 1),
)  # fmt: skip
V3_SMALL = (
    (3, 16, 16, 1, 0, 2), (3, 72, 24, 0, 0, 2), (3, 88, 24, 0, 0, 1), (5, 96, 40, 1, 1, 2), (5, 240, 40, 1, 1, 1),
    (5, 240, 40, 1, 1, 1), (5, 120, 48, 1, 1, 1), (5, 144, 48, 1, 1, 1), (5, 288, 96, 1, 1, 2), (5, 576, 96, 1, 1, 1),
    (5, 576, 96, 1, 1, 1),
)  # fmt: skip

# (output channels, stride) of the depthwise-separable blocks
V1_BLOCKS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1),
)  # fmt: skip


def mobilenet_v1(width: float, px: int, classes: int = 1001) -> Tape:
    """Howard et al. 2017 (arXiv 1704.04861)."""
    t = Tape(3, px).conv(int(32 * width), 3, 2)
    for out, stride in V1_BLOCKS:
        t.depthwise(3, stride).conv(int(out * width))
    return t.global_pool().fc(classes)


def mobilenet_v2(width: float, px: int, classes: int = 1001) -> Tape:
    """Sandler et al. 2018 (arXiv 1801.04381)."""
    t = Tape(3, px).conv(make_divisible(32 * width), 3, 2)
    for expand, out, repeats, first_stride in V2_BLOCKS:
        for i in range(repeats):
            stride, cin = (first_stride if i == 0 else 1), t.channels
            cout = make_divisible(out * width)
            if expand > 1:
                t.conv(cin * expand)
            t.depthwise(3, stride).conv(cout)
            if stride == 1 and cin == cout:
                t.elementwise(2)
    return t.conv(max(1280, make_divisible(1280 * width))).global_pool().fc(classes)


def mobilenet_v3(size: str, width: float, px: int, *, minimalistic: bool = False, classes: int = 1001) -> Tape:
    """Howard et al. 2019 (arXiv 1905.02244); minimalistic: 3x3 kernels, ReLU, no squeeze-excite."""
    table, last = (V3_LARGE, 1280) if size == "large" else (V3_SMALL, 1024)
    swish = not minimalistic
    t = Tape(3, px).conv(make_divisible(16 * width), 3, 2)
    if swish:
        t.elementwise()
    for kernel, expanded, out, se, hs, stride in table:
        cin, mid, cout = t.channels, make_divisible(expanded * width), make_divisible(out * width)
        hard = hs and swish
        if mid != cin:
            t.conv(mid)
            if hard:
                t.elementwise()
        t.depthwise(3 if minimalistic else kernel, stride)
        if hard:
            t.elementwise()
        if se and not minimalistic:
            t.squeeze_excite(make_divisible(mid / 4))
        t.conv(cout)
        if stride == 1 and cin == cout:
            t.elementwise(2)
    t.conv(6 * t.channels)
    if swish:
        t.elementwise()
    t.global_pool().conv(make_divisible(last * width) if width > 1 else last)
    if swish:
        t.elementwise()
    return t.fc(classes)
