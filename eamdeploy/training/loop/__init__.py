"""The training loop: plain SGD, one state file per epoch, resumable to the identical result."""

from eamdeploy.training.loop.options import OnStep, TrainingOptions, TrainingResult, TrainingStep
from eamdeploy.training.loop.run import train

__all__ = ["OnStep", "TrainingOptions", "TrainingResult", "TrainingStep", "train"]
