"""A training step in our forms against the grouped-convolution formulation and the static twin, interleaved.

    python -m benchmarks.training.step [--threads 2] [--rounds 10]

The grouped formulation is the textbook one: every dynamic convolution is one convolution of B*g groups, and the
attention pools with ``adaptive_avg_pool2d``. The gradients are compared with batch norm in evaluation mode: in training mode
it divides by the deviation of a batch, and on random images that carries the rounding of either form into everything.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from eamdeploy.networks import attention, dynamic_conv, mixing
from eamdeploy.networks.architectures.build import build
from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.training.device.allocator import keep_freed_memory


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


def gradients(network: Network, images: Tensor, labels: Tensor) -> list[Tensor]:
    """Of every parameter, batch norm in evaluation mode."""
    network.eval()
    step(network, images, labels)
    network.train()
    return [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--batch", type=int, default=128)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    spec = ArchSpec(width=0.25, classes=10, input_px=32)
    network, twin = build(spec).train(), build(replace(spec, conv="static")).train()
    images, labels = torch.randn(arguments.batch, 3, 32, 32), torch.randint(10, (arguments.batch,))
    ours: list[float] = []
    grouped: list[float] = []
    static: list[float] = []
    for index in range(arguments.rounds + 2):
        times = [step(network, images, labels)]
        with grouped_formulation():
            times.append(step(network, images, labels))
        times.append(step(twin, images, labels))
        if index >= 2:  # the first two warm up
            for variant, milliseconds in zip((ours, grouped, static), times, strict=True):
                variant.append(milliseconds)
    # in float64: in float32 the two forms round apart, and one activation of millions that falls on the other side of
    # zero moves a gradient by a part in a hundred
    network, images = network.double(), images.double()
    mine = gradients(network, images, labels)
    with grouped_formulation():
        textbook = gradients(network, images, labels)
    # of each parameter's own largest gradient: gradients differ by orders of magnitude between layers
    largest = max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(mine, textbook, strict=True))
    print(
        f"EAM MobileNetV1 x0.25, 32 px, batch {arguments.batch}, {arguments.threads} threads, {arguments.rounds} rounds"
    )
    medians = [statistics.median(times) for times in (ours, grouped, static)]
    print(f"ours {medians[0]:.0f} ms, grouped {medians[1]:.0f} ms, the static twin {medians[2]:.0f} ms")
    for name, times in (("ours", ours), ("the static twin", static)):
        ratios = sorted(b / a for a, b in zip(times, grouped, strict=True))
        print(f"grouped / {name}: median {statistics.median(ratios):.2f}, range {ratios[0]:.2f} to {ratios[-1]:.2f}")
    print(f"largest difference of a gradient in float64, of the parameter's largest: {largest:.1e}")


main()
