"""What a training run is asked for, and what it says about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from eamdeploy.training.device.acceleration import DEFAULT


@dataclass(frozen=True)
class TrainingOptions:
    """What a run is asked for beyond its recipe.

    Attributes:
        anneal_to: softmax temperature reached linearly over the first ``anneal_epochs`` (Chen et al. 2020), from the spec's.
        ema: decay per step of an average of the weights, which is then what is evaluated and stored.
        label_smoothing: of the cross-entropy.
        precision: Lightning's name.
        tensorboard: write TensorBoard logs besides the CSV.
        acceleration: how the device is used, one of ``eamdeploy.training.device.acceleration.NAMES``.
    """

    seed: int = 0
    anneal_to: float | None = None
    anneal_epochs: int = 10
    ema: float | None = None
    label_smoothing: float = 0.0
    precision: str = "32-true"
    tensorboard: bool = False
    acceleration: str = DEFAULT

    def settings(self) -> dict[str, Any]:
        """What must be the same for a run to continue; the default acceleration goes without saying, as in older runs."""
        values = asdict(self)
        if self.acceleration == DEFAULT:
            del values["acceleration"]
        return values


@dataclass(frozen=True)
class TrainingStep:
    """Where training is, for a progress display."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    top1: float


@dataclass(frozen=True)
class TrainingResult:
    """A finished run; ``top1`` is in percent on the test images, ``notes`` are on the files that they came from."""

    checkpoint: Path
    top1: float
    epochs: int
    history: list[dict[str, float]]
    skipped: list[str] = field(default_factory=list)
    notes: tuple[str, ...] = ()


OnStep = Callable[[TrainingStep], None]
