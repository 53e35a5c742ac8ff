"""AlexNet, VGG, SqueezeNet, ShuffleNet V1 and V2, ViT-Base."""

from __future__ import annotations

from benchmarks.latency.zoo.tape import Tape

VGG = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
SHUFFLE_V2 = {
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}


def alexnet(px: int, *, caffe: bool) -> Tape:
    """Krizhevsky et al. 2012; `caffe`: the two-group original with response normalisation, otherwise torchvision's."""
    t = Tape(3, px)
    if caffe:
        t.conv(96, 11, 4, padding=0).local_response_norm().pool(3, 2, "valid")
        t.conv(256, 5, groups=2).local_response_norm().pool(3, 2, "valid")
        t.conv(384, 3).conv(384, 3, groups=2).conv(256, 3, groups=2)
    else:
        t.conv(64, 11, 4, padding=2).pool(3, 2, "valid").conv(192, 5).pool(3, 2, "valid").conv(384, 3).conv(
            256, 3
        ).conv(256, 3)
    return t.pool(3, 2, "valid").fc(4096).fc(4096).fc(1000)


def vgg(depth: int, px: int = 224) -> Tape:
    """Simonyan & Zisserman 2014 (arXiv 1409.1556); batch norm folds away."""
    t = Tape(3, px)
    for repeats, out in zip(VGG[depth], (64, 128, 256, 512, 512), strict=True):
        for _ in range(repeats):
            t.conv(out, 3)
        t.pool(2, 2)
    return t.fc(4096).fc(4096).fc(1000)


def squeezenet(version: str, px: int) -> Tape:
    """Iandola et al. 2016 (arXiv 1602.07360)."""
    t = Tape(3, px)
    t.conv(64, 3, 2, padding=0) if version == "1.1" else t.conv(96, 7, 2, padding=0)
    pools = (2, 4) if version == "1.1" else (3, 7)
    t.pool(3, 2, "valid")
    for i, squeeze in enumerate((16, 16, 32, 32, 48, 48, 64, 64)):
        if i in pools:
            t.pool(3, 2, "valid")
        t.conv(squeeze).branches([("conv", 4 * squeeze)], [("conv", 4 * squeeze, 3)])
    return t.conv(1000).global_pool()


def shufflenet_v1(px: int = 224, groups: int = 3) -> Tape:
    """Zhang et al. 2017 (arXiv 1707.01083), x1.0."""
    t = Tape(3, px).conv(24, 3, 2).pool(3, 2)
    for stage, (out, repeats) in enumerate(((240, 4), (480, 8), (960, 4))):
        for i in range(repeats):
            cin, px_in, first = t.channels, t.px, i == 0
            mid = out // 4
            t.conv(mid, 1, groups=1 if stage == 0 and first else groups)
            t.movement().depthwise(3, 2 if first else 1).conv(out - cin if first else out, 1, groups=groups)
            if first:
                px_out = t.px
                t.channels, t.px = cin, px_in
                t.pool(3, 2)
                t.channels, t.px = out, px_out
                t.movement()
            else:
                t.elementwise(2)
    return t.global_pool().fc(1000)


def shufflenet_v2(width: float, px: int = 224) -> Tape:
    """Ma et al. 2018 (arXiv 1807.11164)."""
    *stages, last = SHUFFLE_V2[width]
    t = Tape(3, px).conv(24, 3, 2).pool(3, 2)
    for out, repeats in zip(stages, (4, 8, 4), strict=True):
        half = out // 2
        t.branches(
            [("depthwise", 3, 2), ("conv", half)], [("conv", half), ("depthwise", 3, 2), ("conv", half)]
        ).movement()
        for _ in range(repeats - 1):
            t.channels = half
            t.conv(half).depthwise().conv(half)
            t.channels = out
            t.movement().movement()
    return t.conv(last).global_pool().fc(1000)


def vit_base(px: int = 384) -> Tape:
    """Dosovitskiy et al. 2020 (arXiv 2010.11929), patches of 16, 12 layers, width 768."""
    t = Tape(3, px).conv(768, 16, 16, padding=0)
    tokens, width, heads = t.px**2 + 1, 768, 12

    def linear(cin: int, cout: int) -> None:
        t.channels, t.px = cin, 1
        t.records.append(_tokens_linear(tokens, cin, cout))

    for _ in range(12):
        for cout in (width, width, width):
            linear(width, cout)
        t.matmul(tokens, width // heads, tokens, heads).matmul(tokens, tokens, width // heads, heads)
        linear(width, width)
        linear(width, 4 * width)
        linear(4 * width, width)
    t.channels, t.px = width, 1
    return t.fc(1000)


def _tokens_linear(tokens: int, cin: int, cout: int):
    from devices.latency.graph.records import OperatorRecord

    return OperatorRecord(
        "fc", "pointwise", part="convolution", macs=tokens * cin * cout, weights=cin * cout + cout, inputs=tokens * cin,
        outputs=tokens * cout, pixels=tokens, channels_in=cin, channels_out=cout,
    )  # fmt: skip
