"""A network with random weights whose attention moves as a trained one's does: for time and size, never for accuracy.

    python -m benchmarks.frontier.trained_like --images DIR --out FILE [--width 1.0] [--input 224] [--classes 100]

Random attention moves as much as chance has it, so that a budget would find another network than it finds in practice. Each
layer's last attention layer is scaled until the mixing weights move over the images as much as they did in an EAM-DyNet
MobileNetV1 x0.25 trained on CIFAR-10: mean ``sum_i |alpha_i - mean alpha_i|`` of 0.021, 0.034 and 0.012 in the first three layers,
0.0025 in all others.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from eamdeploy.data import ImageDataset, open_dataset
from eamdeploy.data.dataset import take
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.checkpoint import load_checkpoint, save_checkpoint
from eamdeploy.networks.random_init import write_random
from eamdeploy.networks.spec import ArchSpec
from export.rewrites.attention_stats import attention_statistics

FIRST = (0.021, 0.034, 0.012)
OTHERS = 0.0025
IMAGES = 48


def write_trained_like(spec: ArchSpec, images: ImageDataset, out: Path) -> dict[str, float]:
    """Write such a network of ``spec`` to ``out``; returns how much the attention of each layer moves over a few of ``images``."""
    checkpoint = load_checkpoint(str(write_random(spec, out)))
    network = checkpoint.network.eval()
    preprocessing = Preprocessing.from_dict(checkpoint.preprocessing)
    data = take(images, IMAGES)
    pixels = torch.stack([torch.from_numpy(preprocessing.apply(data.image(index))) for index in range(len(data))])
    batches = torch.split(pixels, 8)
    layers = network.dynamic_layers()
    movement = dict(zip(layers, (*FIRST, *[OTHERS] * len(layers)), strict=False))
    for _ in range(2):  # twice: an early layer's attention moves the later ones' inputs
        for path, statistics in attention_statistics(network, batches).items():
            # the softmax is nearly linear where it moves so little
            layers[path].attention.fc2.weight.data *= movement[path] / max(statistics.movement, 1e-12)
    save_checkpoint(
        out,
        network,
        preprocessing=checkpoint.preprocessing,
        classes=checkpoint.classes,
        meta={"data": "none (random weights, attention scaled as if trained)"},
    )
    return {path: statistics.movement for path, statistics in attention_statistics(network, batches).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="a few dozen are used")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--input", type=int, default=224)
    parser.add_argument("--classes", type=int, default=100)
    arguments = parser.parse_args()
    spec = ArchSpec(width=arguments.width, classes=arguments.classes, input_px=arguments.input)
    for path, movement in write_trained_like(spec, open_dataset(arguments.images), arguments.out).items():
        print(f"{path:28} {movement:.4f}")


if __name__ == "__main__":
    main()
