"""Small networks and single blocks of architecture searches, as operator lists."""

from __future__ import annotations

from benchmarks.latency.zoo.tape import Tape


def nas_bench_201(counts: str, px: int) -> Tape:
    """Dong & Yang 2020 (arXiv 2001.00326): three stages of five equal cells, a residual block between them.

    Args:
        counts: what one cell executes: 3x3 convolutions, 1x1 convolutions, average pools, additions, joined by "-".
        px: input size.
    """
    full, pointwise, pools, additions = (int(n) for n in counts.split("-"))
    t = Tape(3, px).conv(16, 3)
    for stage, channels in enumerate((16, 32, 64)):
        if stage:
            before, side = t.channels, t.px
            t.conv(channels, 3, 2).conv(channels, 3)
            t.channels, t.px = before, side
            t.pool(2, 2).conv(channels).elementwise(2)
        for _ in range(5):
            for _ in range(full):
                t.conv(channels, 3)
            for _ in range(pointwise):
                t.conv(channels)
            for _ in range(pools):
                t.pool(3, 1)
            for _ in range(additions):
                t.elementwise(2)
    return t.elementwise().global_pool().fc(10)


def fbnet_block(name: str, px: int) -> Tape:
    """One block of Wu et al. 2019 (arXiv 1812.03443): "16-16-k3_e6" is 16 channels in and out, kernel 3, expansion 6."""
    cin, cout, block = name.split("-")
    kernel, expand = (int(part[1:]) for part in block.split("_"))
    t = Tape(int(cin), px).conv(int(cin) * expand).depthwise(kernel).conv(int(cout))
    return t.elementwise(2)
