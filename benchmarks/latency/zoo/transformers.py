"""Vision transformers and their hybrids with convolutions, as operator lists."""

from __future__ import annotations

from benchmarks.latency.zoo.tape import Tape
from devices.latency.graph.records import OperatorRecord


def at(t: Tape, channels: int, px: int) -> Tape:
    """Go on from another map."""
    t.channels, t.px = channels, px
    return t


def linear(t: Tape, tokens: int, cin: int, cout: int) -> None:
    """A linear layer over `tokens` positions."""
    t.records.append(
        OperatorRecord(
            "fc", "pointwise", part="convolution", macs=tokens * cin * cout, weights=cin * cout + cout,
            inputs=tokens * cin, outputs=tokens * cout, pixels=tokens, channels_in=cin, channels_out=cout,
        )
    )  # fmt: skip


def spread(t: Tape, elements: int, operands: int = 1) -> None:
    """An operator on `elements` elements, one by one."""
    t.records.append(
        OperatorRecord("elementwise", "elementwise", inputs=operands * elements, outputs=elements, pixels=elements)
    )


def normalised(t: Tape, tokens: int, width: int) -> None:
    """Layer normalisation: mean, squared difference, mean, and three passes."""
    for operands in (1, 1, 2, 2, 2):
        spread(t, tokens * width, operands)


def encoder(
    t: Tape,
    tokens: int,
    width: int,
    heads: int,
    hidden: int,
    *,
    keys: int | None = None,
    gelu: int = 1,
    groups: int = 1,
) -> None:
    """Attention and a perceptron, each normalised before and added after.

    Args:
        t: where they are written.
        tokens: positions.
        width: channels.
        heads: of the attention.
        hidden: width of the perceptron.
        keys: positions that keys and values are taken at (fewer with spatial reduction).
        gelu: operators that the perceptron's activation is made of.
        groups: of positions, that see each other and no others.
    """
    key_count = keys or tokens
    normalised(t, tokens, width)
    linear(t, tokens, width, width)
    linear(t, key_count, width, 2 * width)
    group_tokens, group_keys = tokens // groups, key_count // groups
    t.matmul(group_tokens, width // heads, group_keys, heads * groups)
    spread(t, heads * groups * group_tokens * group_keys)
    spread(t, heads * groups * group_tokens * group_keys)
    t.matmul(group_tokens, group_keys, width // heads, heads * groups)
    linear(t, tokens, width, width)
    spread(t, tokens * width, 2)
    normalised(t, tokens, width)
    linear(t, tokens, width, hidden)
    for _ in range(gelu):
        spread(t, tokens * hidden)
    linear(t, tokens, hidden, width)
    spread(t, tokens * width, 2)


def vit_tiny(px: int) -> Tape:
    """Dosovitskiy et al. 2020 (arXiv 2010.11929) with Touvron et al.'s width of 192 (DeiT-Tiny is the same graph)."""
    t = Tape(3, px).conv(192, 16, 16, padding=0)
    tokens = t.px**2 + 1
    for _ in range(12):
        encoder(t, tokens, 192, 3, 768)
    return at(t, 192, 1).fc(1000)


def mobilevit_s(px: int) -> Tape:
    """Mehta & Rastegari 2021 (arXiv 2110.02178)."""
    t = Tape(3, px)

    def swish(out: int, kernel: int = 1, stride: int = 1) -> None:
        t.conv(out, kernel, stride).elementwise().elementwise(2)

    def inverted(out: int, stride: int) -> None:
        cin = t.channels
        swish(4 * cin)
        t.depthwise(3, stride).elementwise().elementwise(2).conv(out)
        if stride == 1 and cin == out:
            t.elementwise(2)

    swish(16, 3, 2)
    for out, stride in ((32, 1), (64, 2), (64, 1), (64, 1)):
        inverted(out, stride)
    for out, width, layers in ((96, 144, 2), (128, 192, 4), (160, 240, 3)):
        inverted(out, 2)
        side = t.px
        swish(out, 3)
        t.conv(width).movement()
        for _ in range(layers):
            encoder(t, side**2, width, 4, 2 * width, gelu=2, groups=4)
        at(t, width, side).movement()
        swish(out)
        at(t, 2 * out, side).movement()
        swish(out, 3)
    swish(640)
    return t.global_pool().fc(1000)


def efficientformer_l1(px: int) -> Tape:
    """Li et al. 2022 (arXiv 2206.01191): pooling as token mixer, one block of attention at the end."""
    t = Tape(3, px).conv(24, 3, 2).conv(48, 3, 2)
    for stage, (width, depth) in enumerate(((48, 3), (96, 2), (224, 6), (448, 4))):
        if stage:
            t.conv(width, 3, 2)
        mixers = depth - 1 if stage == 3 else depth
        for _ in range(mixers):
            t.pool(3, 1).elementwise(2).elementwise(2).elementwise(2)
            t.conv(4 * width).elementwise().conv(width).elementwise(2).elementwise(2)
    tokens, width, heads = t.px**2, 448, 8
    normalised(t, tokens, width)
    linear(t, tokens, width, heads * (32 + 32 + 128))
    t.matmul(tokens, 32, tokens, heads)
    spread(t, heads * tokens**2)
    spread(t, heads * tokens**2)
    t.matmul(tokens, tokens, 128, heads)
    linear(t, tokens, heads * 128, width)
    spread(t, tokens * width, 2)
    normalised(t, tokens, width)
    linear(t, tokens, width, 4 * width)
    spread(t, tokens * 4 * width)
    linear(t, tokens, 4 * width, width)
    spread(t, tokens * width, 2)
    return at(t, width, t.px).global_pool().fc(1000)


def segformer_b0(px: int) -> Tape:
    """Xie et al. 2021 (arXiv 2105.15203), with its decoder of 256 channels."""
    t, sides = Tape(3, px), []
    for stage, (width, heads, reduction) in enumerate(((32, 1, 8), (64, 2, 4), (160, 5, 2), (256, 8, 1))):
        t.conv(width, 7 if stage == 0 else 3, 4 if stage == 0 else 2)
        side = t.px
        for _ in range(2):
            if reduction > 1:
                at(t, width, side).conv(width, reduction, reduction, padding=0)
                normalised(t, t.px**2, width)
            encoder(t, side**2, width, heads, 4 * width, keys=(side // reduction) ** 2)
            at(t, 4 * width, side).depthwise()
        at(t, width, side)
        sides.append((width, side))
    for width, side in sides:
        linear(t, side**2, width, 256)
        at(t, 256, sides[0][1]).movement()
    at(t, 1024, sides[0][1]).movement()
    return t.conv(256).conv(21)
