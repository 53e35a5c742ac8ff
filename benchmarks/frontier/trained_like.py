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

from eamdeploy.data import open_dataset
from eamdeploy.data.dataset import take
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.checkpoint import load_checkpoint, save_checkpoint
from eamdeploy.networks.random_init import write_random
from eamdeploy.networks.spec import ArchSpec
from export.rewrites.attention_stats import attention_statistics

FIRST = (0.021, 0.034, 0.012)
OTHERS = 0.0025


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="a few dozen are used")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--input", type=int, default=224)
    parser.add_argument("--classes", type=int, default=100)
    arguments = parser.parse_args()
    spec = ArchSpec(width=arguments.width, classes=arguments.classes, input_px=arguments.input)
    checkpoint = load_checkpoint(str(write_random(spec, arguments.out)))
    network = checkpoint.network.eval()
    preprocessing = Preprocessing.from_dict(checkpoint.preprocessing)
    data = take(open_dataset(arguments.images), 48)
    images = torch.stack([torch.from_numpy(preprocessing.apply(data.image(index))) for index in range(len(data))])
    layers = network.dynamic_layers()
    degrees = dict(zip(layers, (*FIRST, *[OTHERS] * len(layers)), strict=False))
    for _ in range(2):  # twice: an early layer's attention moves the later ones' inputs
        for path, statistics in attention_statistics(network, torch.split(images, 8)).items():
            # the softmax is nearly linear where it moves so little
            layers[path].attention.fc2.weight.data *= degrees[path] / max(statistics.movement, 1e-12)
    for path, statistics in attention_statistics(network, torch.split(images, 8)).items():
        print(f"{path:28} {statistics.movement:.4f}")
    save_checkpoint(
        arguments.out,
        network,
        preprocessing=checkpoint.preprocessing,
        classes=checkpoint.classes,
        meta={"data": "none (random weights, attention scaled as if trained)"},
    )


if __name__ == "__main__":
    main()
