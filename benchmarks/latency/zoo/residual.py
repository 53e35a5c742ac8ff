"""ResNet, its V1.5, V2 and ResNeXt forms, RegNetY, DenseNet."""

from __future__ import annotations

from benchmarks.latency.zoo.tape import Tape

DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
DENSE = {121: (6, 12, 24, 16), 161: (6, 12, 36, 24), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}


def resnet(depth: int, px: int = 224, *, version: str = "1.5", groups: int = 1, group_width: int = 64) -> Tape:
    """He et al. 2015 (arXiv 1512.03385): "1" strides in the first 1x1, "1.5" in the 3x3, "2" also has own batch norms.

    Slim's V1 and V2 stride at the end of a stage; the counts differ from this by under 3 %.
    """
    bottleneck = depth >= 50
    t = Tape(3, px).conv(64, 7, 2).pool(3, 2)
    for stage, repeats in enumerate(DEPTHS[depth]):
        for i in range(repeats):
            stride = 2 if stage > 0 and i == 0 else 1
            base = 64 * 2**stage
            out = base * 4 if bottleneck else base
            cin, px_in = t.channels, t.px
            if version == "2":
                t.elementwise()
            if bottleneck:
                mid = base * group_width // 64 * groups
                first, second = (stride, 1) if version == "1" else (1, stride)
                t.conv(mid, 1, first).conv(mid, 3, second, groups=groups).conv(out)
            else:
                t.conv(out, 3, stride).conv(out, 3)
            if cin != out or stride != 1:
                px_out = t.px
                t.channels, t.px = cin, px_in
                t.conv(out, 1, stride)
                t.px = px_out
            t.elementwise(2)
    return t.global_pool().fc(1000)


def regnety_400m(px: int = 224) -> Tape:
    """RegNetY-400MF (Radosavovic et al. 2020, arXiv 2003.13678): group width 8, squeeze-excite."""
    t = Tape(3, px).conv(32, 3, 2)
    for out, repeats in ((48, 1), (104, 3), (208, 6), (440, 6)):
        for i in range(repeats):
            cin, px_in, stride = t.channels, t.px, 2 if i == 0 else 1
            t.conv(out).conv(out, 3, stride, groups=out // 8).squeeze_excite(max(1, cin // 4)).conv(out)
            if i == 0:
                px_out = t.px
                t.channels, t.px = cin, px_in
                t.conv(out, 1, stride)
                t.px = px_out
            t.elementwise(2)
    return t.global_pool().fc(1000)


def densenet(depth: int, px: int = 224) -> Tape:
    """Huang et al. 2016 (arXiv 1608.06993)."""
    growth, stem = (48, 96) if depth == 161 else (32, 64)
    t = Tape(3, px).conv(stem, 7, 2).pool(3, 2)
    for stage, repeats in enumerate(DENSE[depth]):
        for _ in range(repeats):
            cin = t.channels
            t.elementwise().conv(4 * growth).conv(growth, 3)
            t.channels = cin + growth
            t.movement()
        if stage < 3:
            t.elementwise().conv(t.channels // 2).pool(2, 2)
    return t.elementwise().global_pool().fc(1000)
