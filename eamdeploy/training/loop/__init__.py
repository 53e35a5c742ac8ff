"""The training loop: plain SGD, one state file per epoch, resumable to the identical result."""

from eamdeploy.training.loop.events import EpochReport, OnEvent, TrainingEvent, TrainingPlan
from eamdeploy.training.loop.options import OnStep, TrainingOptions, TrainingResult, TrainingStep
from eamdeploy.training.loop.run import train

__all__ = [
    "EpochReport",
    "OnEvent",
    "OnStep",
    "TrainingEvent",
    "TrainingOptions",
    "TrainingPlan",
    "TrainingResult",
    "TrainingStep",
    "train",
]
