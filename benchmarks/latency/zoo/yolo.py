"""YOLOX, YOLOv8 and YOLO11 as operator lists; 80 classes, the operators after the heads left out."""

from __future__ import annotations

from benchmarks.latency.zoo.tape import Tape

YOLOX = {"nano": (0.33, 0.25), "tiny": (0.33, 0.375), "s": (0.33, 0.5), "m": (0.67, 0.75), "l": (1.0, 1.0)}
YOLOV8 = {"n": (0.33, 0.25, 1024), "s": (0.33, 0.5, 1024), "m": (0.67, 0.75, 768)}
YOLO11 = {
    "n": (0.5, 0.25, 1024), "s": (0.5, 0.5, 1024), "m": (0.5, 1.0, 512), "l": (1.0, 1.0, 512), "x": (1.0, 1.5, 512),
}  # fmt: skip
CLASSES = 80


def silu(t: Tape, out: int, kernel: int = 1, stride: int = 1, *, groups: int = 1) -> Tape:
    """A convolution and x * sigmoid(x), in two operators."""
    return t.conv(out, kernel, stride, groups=groups).elementwise().elementwise(2)


def at(t: Tape, channels: int, px: int) -> Tape:
    """Go on from another map."""
    t.channels, t.px = channels, px
    return t


def joined(t: Tape, channels: int, px: int) -> Tape:
    """Concatenate into a map of `channels`."""
    return at(t, channels, px).movement()


def upsampled(t: Tape) -> Tape:
    """Twice the side, by repetition."""
    t.px *= 2
    return t.movement()


def yolox(size: str, px: int) -> Tape:
    """Ge et al. 2021 (arXiv 2107.08430); nano's 3x3 convolutions are depthwise separable."""
    depth, width = YOLOX[size]
    n, base, apart = max(round(3 * depth), 1), int(64 * width), size == "nano"

    def conv3(out: int, stride: int = 1) -> None:
        if apart:
            silu(t, t.channels, 3, stride, groups=t.channels)
            silu(t, out)
        else:
            silu(t, out, 3, stride)

    def csp(out: int, repeats: int, *, shortcut: bool) -> None:
        cin, half = t.channels, out // 2
        silu(t, half)
        at(t, cin, t.px)
        silu(t, half)
        for _ in range(repeats):
            silu(t, half)
            conv3(half)
            if shortcut:
                t.elementwise(2)
        silu(joined(t, out, t.px), out)

    t = Tape(12, px // 2).movement()
    silu(t, base, 3)
    sides = {}
    for i, repeats in ((1, n), (2, 3 * n), (3, 3 * n)):
        conv3(base * 2**i, 2)
        csp(base * 2**i, repeats, shortcut=True)
        sides[i] = t.px
    conv3(16 * base, 2)
    silu(t, 8 * base)
    for kernel in (5, 9, 13):
        t.pool(kernel, 1)
    silu(joined(t, 32 * base, t.px), 16 * base)
    csp(16 * base, n, shortcut=False)
    small = t.px
    silu(t, 8 * base)
    upsampled(t)
    joined(t, 16 * base, sides[3])
    csp(8 * base, n, shortcut=False)
    silu(t, 4 * base)
    upsampled(t)
    joined(t, 8 * base, sides[2])
    csp(4 * base, n, shortcut=False)
    conv3(4 * base, 2)
    joined(t, 8 * base, sides[3])
    csp(8 * base, n, shortcut=False)
    conv3(8 * base, 2)
    joined(t, 16 * base, small)
    csp(16 * base, n, shortcut=False)
    hidden = int(256 * width)
    for channels, side in ((4 * base, sides[2]), (8 * base, sides[3]), (16 * base, small)):
        silu(at(t, channels, side), hidden)
        for outs in ((CLASSES,), (4, 1)):
            at(t, hidden, side)
            conv3(hidden)
            conv3(hidden)
            for out in outs:
                at(t, hidden, side).conv(out)
    return t


def _c2f(t: Tape, out: int, repeats: int, *, shortcut: bool) -> None:
    half = out // 2
    silu(t, 2 * half).movement()
    for _ in range(repeats):
        silu(silu(at(t, half, t.px), half, 3), half, 3)
        if shortcut:
            t.elementwise(2)
    silu(joined(t, (2 + repeats) * half, t.px), out)


def _c3k(t: Tape, channels: int) -> None:
    half = channels // 2
    silu(t, half)
    silu(at(t, channels, t.px), half)
    for _ in range(2):
        silu(silu(t, half, 3), half, 3).elementwise(2)
    silu(joined(t, 2 * half, t.px), channels)


def _c3k2(t: Tape, out: int, repeats: int, expansion: float, *, nested: bool) -> None:
    half = int(out * expansion)
    silu(t, 2 * half).movement()
    for _ in range(repeats):
        at(t, half, t.px)
        if nested:
            _c3k(t, half)
        else:
            silu(silu(t, half // 2, 3), half, 3).elementwise(2)
    silu(joined(t, (2 + repeats) * half, t.px), out)


def _sppf(t: Tape, out: int) -> None:
    half = t.channels // 2
    silu(t, half).pool(5, 1).pool(5, 1).pool(5, 1)
    silu(joined(t, 4 * half, t.px), out)


def _attention(t: Tape, channels: int, repeats: int) -> None:
    half, tokens = channels // 2, t.px**2
    heads = max(half // 64, 1)
    key = half // heads // 2
    silu(t, 2 * half).movement()
    for _ in range(repeats):
        at(t, half, t.px).conv(half + 2 * key * heads).movement()
        t.matmul(tokens, key, tokens, heads)
        at(t, heads * tokens, 1).elementwise().elementwise()
        t.matmul(tokens, tokens, half // heads, heads)
        at(t, half, round(tokens**0.5)).depthwise().elementwise(2).conv(half).elementwise(2)
        silu(t, 2 * half).conv(half).elementwise(2)
    silu(joined(t, 2 * half, t.px), channels)


def _detect(t: Tape, maps: list[tuple[int, int]], *, apart: bool) -> Tape:
    box, score = max(16, maps[0][0] // 4, 64), max(maps[0][0], CLASSES)
    for channels, px in maps:
        silu(silu(at(t, channels, px), box, 3), box, 3).conv(64)
        at(t, channels, px)
        for _ in range(2):
            if apart:
                silu(silu(t, t.channels, 3, groups=t.channels), score)
            else:
                silu(t, score, 3)
        t.conv(CLASSES)
    cells = sum(px**2 for _, px in maps)
    return at(t, 64 * cells, 1).movement().elementwise().elementwise()


def yolov8(size: str, px: int) -> Tape:
    """Ultralytics YOLOv8 (2023)."""
    return _ultralytics(YOLOV8[size], px, eleven=False, nested=False)


def yolo11(size: str, px: int) -> Tape:
    """Ultralytics YOLO11 (2024)."""
    return _ultralytics(YOLO11[size], px, eleven=True, nested=size in ("m", "l", "x"))


def _ultralytics(scale: tuple[float, float, int], px: int, *, eleven: bool, nested: bool) -> Tape:
    depth, width, most = scale

    def wide(channels: int) -> int:
        return int(-(-min(channels, most) * width // 8) * 8)

    def block(out: int, repeats: int, *, inner: bool, backbone: bool, expansion: float = 0.5) -> None:
        n = max(round(repeats * depth), 1)
        if eleven:
            _c3k2(t, wide(out), n, expansion, nested=inner or nested)
        else:
            _c2f(t, wide(out), n, shortcut=backbone)

    t = silu(silu(Tape(3, px), wide(64), 3, 2), wide(128), 3, 2)
    many = (2, 2, 2) if eleven else (3, 6, 6)
    block(256 if eleven else 128, many[0], inner=False, backbone=True, expansion=0.25)
    silu(t, wide(256), 3, 2)
    third = 512 if eleven else 256
    block(third, many[1], inner=False, backbone=True, expansion=0.25)
    p3 = (t.channels, t.px)
    silu(t, wide(512), 3, 2)
    block(512, many[2], inner=True, backbone=True)
    p4 = (t.channels, t.px)
    silu(t, wide(1024), 3, 2)
    last = 2 if eleven else 3
    block(1024, last, inner=True, backbone=True)
    _sppf(t, wide(1024))
    if eleven:
        _attention(t, wide(1024), max(round(2 * depth), 1))
    p5 = (t.channels, t.px)
    upsampled(t)
    block_at = joined(t, p5[0] + p4[0], p4[1])
    block(512, last, inner=False, backbone=False)
    n4 = block_at.channels
    upsampled(t)
    joined(t, n4 + p3[0], p3[1])
    block(256, last, inner=False, backbone=False)
    maps = [(t.channels, t.px)]
    silu(t, wide(256), 3, 2)
    joined(t, t.channels + n4, p4[1])
    block(512, last, inner=False, backbone=False)
    maps.append((t.channels, t.px))
    silu(t, wide(512), 3, 2)
    joined(t, t.channels + p5[0], p5[1])
    block(1024, last, inner=True, backbone=False)
    maps.append((t.channels, t.px))
    return _detect(t, maps, apart=eleven)
