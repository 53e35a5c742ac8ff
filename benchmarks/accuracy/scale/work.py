"""One training run within a time limit, and the measurement of how long its epochs take."""

from __future__ import annotations

import contextlib
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn

from benchmarks.accuracy.scale.images import DecodedImages
from benchmarks.accuracy.scale.plan import Job
from benchmarks.accuracy.scale.rows import Row
from eamdeploy.base.results import pack_correct
from eamdeploy.networks.architectures.build import build
from eamdeploy.networks.checkpoint import load_checkpoint
from eamdeploy.pipeline.attention_report import attention_report
from eamdeploy.training.batches.batches import Batches
from eamdeploy.training.loop import OnStep, TrainingOptions, TrainingStep, train
from eamdeploy.training.recipes import get_recipe
from eamdeploy.training.sources import get_source

RECIPE = "paper-cifar"
PREPROCESSING = get_source("cifar10").preprocessing()
TIMED_READINGS = 3


class OutOfTime(Exception):
    """The time limit passed in mid-epoch; the state after the last whole epoch is on disk."""


class TimingDone(Exception):
    """Enough steps were timed."""


@dataclass(frozen=True)
class Setting:
    """What all runs share.

    Attributes:
        out: folder of the results.
        deadline: on the machine's monotonic clock, which its processes share.
    """

    out: Path
    deadline: float
    precision: str
    acceleration: str
    threads: int

    @property
    def images(self) -> Path:
        return self.out / "images"


def run(job: Job, setting: Setting) -> Row | None:
    """Train, or go on training; ``None`` where the time did not suffice. A finished run is read."""
    folder = setting.out / job.folder
    row_file = folder / "row.json"
    if row_file.is_file():
        return Row.load(row_file)
    if time.monotonic() > setting.deadline:
        return None

    def check(step: TrainingStep) -> None:
        del step
        if time.monotonic() > setting.deadline:
            raise OutOfTime

    try:
        _train(job, setting, folder, check)
    except OutOfTime:
        return None
    row = _row(job, setting, folder)
    row.save(row_file)
    return row


def seconds_per_epoch(job: Job, setting: Setting) -> float:
    """Training time alone, from some steps after a warm-up; nothing is kept."""
    readings: list[tuple[float, int]] = []
    steps_in_all = 0

    def read(step: TrainingStep) -> None:
        nonlocal steps_in_all
        steps_in_all = step.steps
        readings.append((time.monotonic(), (step.epoch - 1) * step.steps + step.step))
        if len(readings) == 2 + TIMED_READINGS:
            raise TimingDone

    with TemporaryDirectory() as folder, contextlib.suppress(TimingDone):
        _train(job, setting, Path(folder), read)
    (start, first), (end, last) = readings[1], readings[-1]
    return steps_in_all * (end - start) / (last - first)


def _train(job: Job, setting: Setting, folder: Path, on_step: OnStep) -> None:
    torch.set_num_threads(setting.threads)
    training, test = (DecodedImages(setting.images / f"{split}.npz") for split in ("train", "test"))
    options = TrainingOptions(
        seed=job.seed, anneal_to=job.kind.setting.anneal_to, anneal_epochs=max(1, job.epochs // 2),
        precision=setting.precision, acceleration=setting.acceleration,
    )  # fmt: skip
    recipe = get_recipe(RECIPE).scaled_to(job.epochs)
    meta = {"data": "cifar10", "recipe": f"{RECIPE} scaled to {job.epochs} epochs", "note": training.copy}
    train(
        build(job.spec),
        training,
        test,
        preprocessing=PREPROCESSING,
        recipe=recipe,
        out=folder,
        options=options,
        meta=meta,
        on_step=on_step,
    )


def _row(job: Job, setting: Setting, folder: Path) -> Row:
    checkpoint = load_checkpoint(folder / "model.safetensors")
    test = DecodedImages(setting.images / "test.npz")
    movement = {}
    if checkpoint.network.dynamic_layers():
        movement = {layer.layer: layer.movement for layer in attention_report(checkpoint, test).layers}
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    correct = list(answers(checkpoint.network.to(device), Batches(test, PREPROCESSING, None, device=device)))
    return Row(
        variant=job.kind.variant, width=job.kind.width, seed=job.seed, epochs=job.epochs, copy=test.copy,
        parameters=sum(parameter.numel() for parameter in checkpoint.network.parameters()),
        top1=100 * sum(correct) / len(correct), images=len(correct), correct=pack_correct(correct), movement=movement,
        device=device_name(), how=f"{setting.precision}, acceleration {setting.acceleration}",
    )  # fmt: skip


@torch.no_grad()
def answers(network: nn.Module, batches: Batches) -> Iterator[bool]:
    """Whether each test image is classified rightly, in order."""
    network.eval()
    for images, labels in batches.sequential(250):
        yield from (network(images).argmax(1) == labels).tolist()


def device_name() -> str:
    """The GPU, or the processor."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
