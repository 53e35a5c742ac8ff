"""Training recipes by name: the paper's (Ding et al. 2021, sections 4.1.1 and 4.1.2) and short ones for a CPU."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from eamdeploy.base.errors import UsageError, did_you_mean

AUGMENTATIONS = ("flip", "pad-crop-flip", "resized-crop-jitter")


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        epochs: passes over the training images.
        lr: peak learning rate of SGD.
        schedule: ``steps`` (times ``factor`` at each of ``milestones``) or ``cosine`` (to zero).
        warmup: epochs of linear warm-up.
        weight_decay: on all parameters but biases and batch norms where ``decay_norms`` is false.
        augment: one of ``AUGMENTATIONS``: ``flip`` alone, ``pad-crop-flip`` or ``resized-crop-jitter``.
        batch: images per step over all processes.
    """

    epochs: int
    lr: float
    schedule: str
    augment: str
    milestones: tuple[int, ...] = ()
    factor: float = 0.1
    warmup: int = 0
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-4
    decay_norms: bool = True
    batch: int = 128

    def scaled_to(self, epochs: int) -> Recipe:
        """The same recipe in ``epochs`` epochs: the steps of the learning rate come at the same share of the training."""
        return replace(
            self, epochs=epochs, milestones=tuple(round(at * epochs / self.epochs) for at in self.milestones)
        )

    def lr_at(self, epoch: float) -> float:
        """The learning rate at a point in training; ``epoch`` may be fractional."""
        if epoch < self.warmup:
            return self.lr * (epoch + 1e-3) / self.warmup
        if self.schedule == "steps":
            return self.lr * self.factor ** sum(epoch >= milestone for milestone in self.milestones)
        done = (epoch - self.warmup) / max(1e-9, self.epochs - self.warmup)
        return self.lr * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


RECIPES = {
    "paper-cifar": Recipe(200, 0.1, "steps", "pad-crop-flip", milestones=(100, 150, 180)),
    "paper-imagenet100-v1": Recipe(120, 0.1, "steps", "resized-crop-jitter", milestones=(30, 60, 90), factor=0.2),
    "paper-imagenet100-v2v3": Recipe(300, 0.05, "cosine", "resized-crop-jitter"),
    # short runs: higher weight decay, one warm-up epoch, one cosine
    "cpu-small": Recipe(
        24, 0.1, "cosine", "pad-crop-flip", warmup=1, nesterov=True, weight_decay=5e-4, decay_norms=False
    ),
    "finetune": Recipe(2, 0.01, "cosine", "pad-crop-flip", nesterov=True, decay_norms=False),
}


def check_augmentation(name: str) -> None:
    """Refuse an augmentation that is not known.

    Raises:
        UsageError: when it is not one of ``AUGMENTATIONS``.
    """
    if name not in AUGMENTATIONS:
        raise UsageError(f"unknown augmentation '{name}'", hint=did_you_mean(name, AUGMENTATIONS))


def get_recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        UsageError: when there is none.
    """
    if name not in RECIPES:
        raise UsageError(f"unknown recipe '{name}'", hint=did_you_mean(name, RECIPES))
    return RECIPES[name]
