"""A training step in our forms against the grouped-convolution formulation, interleaved; and the same gradients.

    python -m benchmarks.training.step [--threads 2] [--rounds 10]

The grouped formulation is the textbook one: every dynamic convolution is one convolution of B*g groups, and the
attention pools with ``adaptive_avg_pool2d``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from eamdeploy.networks import attention, dynamic_conv, mixing
from eamdeploy.networks.build import build
from eamdeploy.networks.network import Network
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.training.allocator import keep_freed_memory


@contextmanager
def grouped_formulation() -> Iterator[None]:
    """The textbook form everywhere, for as long as the block lasts."""
    ours = dynamic_conv.choose, attention.adaptive_pool
    dynamic_conv.choose = lambda *_: mixing.grouped
    attention.adaptive_pool = lambda x, size, _: F.adaptive_avg_pool2d(x, size)
    try:
        yield
    finally:
        dynamic_conv.choose, attention.adaptive_pool = ours


def step(network: Network, images: Tensor, labels: Tensor) -> float:
    """Milliseconds of one forward and backward pass."""
    network.zero_grad()
    started = time.perf_counter_ns()
    F.cross_entropy(network(images), labels).backward()
    return (time.perf_counter_ns() - started) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--batch", type=int, default=128)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    network = build(ArchSpec(width=0.25, classes=10, input_px=32)).train()
    images, labels = torch.randn(arguments.batch, 3, 32, 32), torch.randint(10, (arguments.batch,))
    ours: list[float] = []
    grouped: list[float] = []
    for index in range(arguments.rounds + 2):
        first = step(network, images, labels)
        gradients = [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]
        with grouped_formulation():
            second = step(network, images, labels)
        textbook = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        if index >= 2:  # the first two warm up
            ours.append(first)
            grouped.append(second)
    largest = max(float((a - b).abs().max()) for a, b in zip(gradients, textbook, strict=True))
    ratios = sorted(b / a for a, b in zip(ours, grouped, strict=True))
    print(
        f"EAM MobileNetV1 x0.25, 32 px, batch {arguments.batch}, {arguments.threads} threads, {arguments.rounds} rounds"
    )
    print(f"ours {statistics.median(ours):.0f} ms, grouped {statistics.median(grouped):.0f} ms")
    print(f"grouped / ours: median {statistics.median(ratios):.2f}, range {ratios[0]:.2f} to {ratios[-1]:.2f}")
    print(f"largest difference of a gradient: {largest:.1e}")


main()
