"""A worker of ``against``: trains on random images and, for each line it reads, runs some steps and prints their processor time.

It uses the public names of the training loop alone, so that it runs in the other tree too.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from eamdeploy.networks.architectures.build import build
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.training import loop
from eamdeploy.training.recipes import get_recipe
from eamdeploy.training.sources import get_source

BATCH = 128


class RandomImages:
    """``count`` pictures of noise in ten classes."""

    def __init__(self, count: int) -> None:
        self.name, self.classes = "noise", tuple(str(label) for label in range(10))
        self.pixels = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.pixels)

    def image(self, index: int) -> Image.Image:
        return Image.fromarray(self.pixels[index])

    def label(self, index: int) -> int:
        return index % 10

    def key(self, index: int) -> str:
        return str(index)


class Turns:
    """Lets training run ``steps`` steps at a time."""

    def __init__(self, steps: int) -> None:
        self.steps, self.done = steps, 0
        self.started = 0.0

    def __call__(self, _: object) -> None:
        if self.done % self.steps == 0:
            if self.done:
                print(time.process_time() - self.started, flush=True)
            if not sys.stdin.readline():
                sys.exit()
            self.started = time.process_time()
        self.done += 1


def main() -> None:
    conv, steps, *acceleration = sys.argv[1:]
    torch.set_num_threads(1)
    network = build(ArchSpec(width=0.25, classes=10, input_px=32, conv=conv))
    recipe = replace(get_recipe("paper-cifar"), epochs=1000)
    options = loop.TrainingOptions(**({"acceleration": acceleration[0]} if acceleration else {}))
    images = RandomImages(BATCH * 400)
    with tempfile.TemporaryDirectory() as out:
        loop.train(
            network,
            images,
            RandomImages(100),
            preprocessing=get_source("cifar10").preprocessing(),
            recipe=recipe,
            out=Path(out),
            options=options,
            on_step=Turns(int(steps)),
        )


main()
