"""Inception V1 (GoogLeNet), V3, V4 and Inception-ResNet-V2 as operator lists."""

from __future__ import annotations

from benchmarks.latency.zoo.tape import Tape

Step = tuple[object, ...]


def c(out: int, kernel: object = 1, stride: int = 1, *, valid: bool = False) -> Step:
    """One convolution step of a branch."""
    return ("conv_valid" if valid else "conv", out, kernel, stride)


class InceptionTape(Tape):
    """A tape whose branch steps can ask for valid padding."""

    def conv_valid(self, out: int, kernel: int = 1, stride: int = 1) -> Tape:
        """A convolution without padding."""
        return self.conv(out, kernel, stride, padding="valid")


AVG: Step = ("pool", 3, 1)
MAX: Step = ("pool", 3, 2, "valid")


def inception_v1(px: int = 224, *, caffe: bool = False) -> Tape:
    """Szegedy et al. 2014 (arXiv 1409.4842); `caffe`: with the original's response normalisation."""
    t = InceptionTape(3, px)
    t.conv(64, 7, 2).pool(3, 2)
    if caffe:
        t.local_response_norm()
    t.conv(64).conv(192, 3)
    if caffe:
        t.local_response_norm()
    t.pool(3, 2)
    blocks: tuple[tuple[int, ...] | None, ...] = (
        (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), None, (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64), (256, 160, 320, 32, 128, 128), None,
        (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128),
    )  # fmt: skip
    for block in blocks:
        if block is None:
            t.pool(3, 2)
            continue
        a, b1, b2, c1, c2, d = block
        t.branches([c(a)], [c(b1), c(b2, 3)], [c(c1), c(c2, 5)], [AVG, c(d)])
    return t.global_pool().fc(1000)


def inception_v3(px: int = 299) -> Tape:
    """Szegedy et al. 2015 (arXiv 1512.00567)."""
    t = InceptionTape(3, px)
    t.conv_valid(32, 3, 2).conv(32, 3, padding="valid").conv(64, 3).pool(3, 2, "valid").conv(80).conv(
        192, 3, padding="valid"
    ).pool(3, 2, "valid")
    for d in (32, 64, 64):
        t.branches([c(64)], [c(48), c(64, 5)], [c(64), c(96, 3), c(96, 3)], [AVG, c(d)])
    t.branches([c(384, 3, 2, valid=True)], [c(64), c(96, 3), c(96, 3, 2, valid=True)], [MAX])
    for m in (128, 160, 160, 192):
        t.branches(
            [c(192)],
            [c(m), c(m, (1, 7)), c(192, (7, 1))],
            [c(m), c(m, (7, 1)), c(m, (1, 7)), c(m, (7, 1)), c(192, (1, 7))],
            [AVG, c(192)],
        )
    t.branches(
        [c(192), c(320, 3, 2, valid=True)], [c(192), c(192, (1, 7)), c(192, (7, 1)), c(192, 3, 2, valid=True)], [MAX]
    )
    for _ in range(2):
        split: Step = ("branches", [c(384, (1, 3))], [c(384, (3, 1))])
        t.branches([c(320)], [c(384), split], [c(448), c(384, 3), split], [AVG, c(192)])
    return t.global_pool().fc(1000)


def _stem_v4(t: InceptionTape) -> None:
    t.conv_valid(32, 3, 2).conv(32, 3, padding="valid").conv(64, 3)
    t.branches([MAX], [c(96, 3, 2, valid=True)])
    t.branches([c(64), c(96, 3, 1, valid=True)], [c(64), c(64, (7, 1)), c(64, (1, 7)), c(96, 3, 1, valid=True)])
    t.branches([c(192, 3, 2, valid=True)], [MAX])


def inception_v4(px: int = 299) -> Tape:
    """Szegedy et al. 2016 (arXiv 1602.07261)."""
    t = InceptionTape(3, px)
    _stem_v4(t)
    for _ in range(4):
        t.branches([AVG, c(96)], [c(96)], [c(64), c(96, 3)], [c(64), c(96, 3), c(96, 3)])
    t.branches([MAX], [c(384, 3, 2, valid=True)], [c(192), c(224, 3), c(256, 3, 2, valid=True)])
    for _ in range(7):
        t.branches(
            [AVG, c(128)], [c(384)], [c(192), c(224, (1, 7)), c(256, (7, 1))],
            [c(192), c(192, (1, 7)), c(224, (7, 1)), c(224, (1, 7)), c(256, (7, 1))],
        )  # fmt: skip
    t.branches(
        [MAX], [c(192), c(192, 3, 2, valid=True)], [c(256), c(256, (1, 7)), c(320, (7, 1)), c(320, 3, 2, valid=True)]
    )
    for _ in range(3):
        split: Step = ("branches", [c(256, (1, 3))], [c(256, (3, 1))])
        t.branches([AVG, c(256)], [c(256)], [c(384), split], [c(384), c(448, (1, 3)), c(512, (3, 1)), split])
    return t.global_pool().fc(1000)


def inception_resnet_v2(px: int = 299) -> Tape:
    """Szegedy et al. 2016 (arXiv 1602.07261), TF-slim's widths."""
    t = InceptionTape(3, px)
    t.conv_valid(32, 3, 2).conv(32, 3, padding="valid").conv(64, 3).pool(3, 2, "valid").conv(80).conv(
        192, 3, padding="valid"
    ).pool(3, 2, "valid")
    t.branches([c(96)], [c(48), c(64, 5)], [c(64), c(96, 3), c(96, 3)], [AVG, c(64)])
    for _ in range(10):
        t.branches([c(32)], [c(32), c(32, 3)], [c(32), c(48, 3), c(64, 3)]).conv(320).elementwise(2)
    t.branches([c(384, 3, 2, valid=True)], [c(256), c(256, 3), c(384, 3, 2, valid=True)], [MAX])
    for _ in range(20):
        t.branches([c(192)], [c(128), c(160, (1, 7)), c(192, (7, 1))]).conv(1088).elementwise(2)
    t.branches(
        [c(256), c(384, 3, 2, valid=True)],
        [c(256), c(288, 3, 2, valid=True)],
        [c(256), c(288, 3), c(320, 3, 2, valid=True)],
        [MAX],
    )
    for _ in range(10):
        t.branches([c(192)], [c(192), c(224, (1, 3)), c(256, (3, 1))]).conv(2080).elementwise(2)
    return t.conv(1536).global_pool().fc(1000)
