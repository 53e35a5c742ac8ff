"""What a training run tells while it goes on: the plan before the first step, a report after each epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class TrainingPlan:
    """What is about to happen.

    Attributes:
        train_images, test_images: how many there are.
        input: channels, height and width of the network's input.
        parameters: weights of the network.
        recipe: the optimizer's settings in words.
        device: where it trains.
        resumed: finished epochs that are continued from; 0 for a new run.
    """

    network: str
    train_images: int
    test_images: int
    classes: int
    input: tuple[int, int, int]
    parameters: int
    recipe: str
    device: str
    batch: int
    epochs: int
    resumed: int


@dataclass(frozen=True)
class EpochReport:
    """A finished epoch, which is stored; accuracies in percent, ``seconds_left`` from the epochs of this process."""

    epoch: int
    epochs: int
    loss: float
    train_top1: float
    top1: float
    learning_rate: float
    seconds: float
    seconds_left: float


TrainingEvent: TypeAlias = TrainingPlan | EpochReport
OnEvent: TypeAlias = Callable[[TrainingEvent], None]
