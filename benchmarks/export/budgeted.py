"""A network rewritten within an accuracy budget, of a size that no trained one is at hand for.

Its attention moves as a trained one's does (`benchmarks.frontier.trained_like`), and its images are labelled with the exact
network's own answers: every answer that changes counts as lost, which is stricter than any other labels.
"""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.frontier.trained_like import write_trained_like
from eamdeploy.data import ImageDataset, embedded_sample
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.checkpoint import Checkpoint, load_checkpoint
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.pipeline.budget import BudgetRequest, spend_budget
from export.planning.target import RUNTIME_FORMATS, Target

IMAGES = 100  # in each half: one changed answer is a point


def write_within_budget(spec: ArchSpec, points: float, folder: Path, machine: str) -> Path:
    """Write a network of ``spec`` that was rewritten within ``points`` for all runtimes on ``machine``; returns its checkpoint."""
    exact = folder / f"trained-like-{spec.input_px}.safetensors"
    write_trained_like(spec, embedded_sample(), exact)
    checkpoint = load_checkpoint(exact)
    pictures = folder / f"pictures-{spec.input_px}"
    answers = _write_answered(checkpoint, embedded_sample(), pictures)
    request = BudgetRequest(points, pictures, limit=IMAGES, class_map=answers)
    targets = tuple(Target(runtime, machine=machine) for runtime in RUNTIME_FORMATS)
    return spend_budget(checkpoint, folder / f"budget-{spec.input_px}.safetensors", request, targets).checkpoint.path


def _write_answered(checkpoint: Checkpoint, images: ImageDataset, folder: Path) -> dict[str, int | str]:
    """Write ``images`` into one folder for each answer of the network; returns the class that each folder stands for."""
    preprocessing = Preprocessing.from_dict(checkpoint.preprocessing)
    answers: dict[str, int | str] = {}
    with torch.inference_mode():
        for index in range(len(images)):
            pixels = torch.from_numpy(preprocessing.apply(images.image(index)))
            answer = int(checkpoint.network(pixels[None]).argmax())
            name = f"answer-{answer}"
            answers[name] = answer
            (folder / name).mkdir(parents=True, exist_ok=True)
            images.image(index).save(folder / name / f"{index:03}.png")
    return answers
