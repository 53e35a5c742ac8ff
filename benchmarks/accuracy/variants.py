"""The networks that are compared, and one training run of each."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eamdeploy.base.files import atomic_write_text
from eamdeploy.networks.checkpoint import load_checkpoint
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.pipeline.attention_report import attention_report
from eamdeploy.training.session import TrainingRequest, run_training
from eamdeploy.training.sources import open_splits

BASE = ArchSpec(arch="mobilenet_v1", width=0.25, input_px=32)


@dataclass(frozen=True)
class AccuracyVariant:
    """One network of the comparison; ``anneal_to`` is the temperature reached at half the training."""

    name: str
    spec: ArchSpec
    anneal_to: float | None = None


VARIANTS = (
    AccuracyVariant("static", replace(BASE, conv="static")),
    AccuracyVariant("dynet", replace(BASE, conv="dynet")),
    AccuracyVariant("eam rcr", replace(BASE, select="rcr")),
    AccuracyVariant("eam cgr-random", replace(BASE, select="cgr-random")),
    AccuracyVariant("eam cgr-max", replace(BASE, select="cgr-max")),
    AccuracyVariant("eam rcr, tau 30 to 1", replace(BASE, select="rcr"), anneal_to=1.0),
)


def run(variant: AccuracyVariant, seed: int, *, root: Path, epochs: int, threads: int, out: Path) -> dict[str, Any]:
    """Train it and look at its attention over 1,000 test images; a finished run is read, a stopped one continued."""
    folder = out / f"{variant.name.replace(' ', '-').replace(',', '')}-seed{seed}-epochs{epochs}"
    result_file = folder / "result.json"
    if result_file.is_file():
        earlier_result: dict[str, Any] = json.loads(result_file.read_text(encoding="utf-8"))
        return earlier_result
    result = run_training(
        TrainingRequest(
            data="cifar10", root=root, out=folder, recipe="cpu-small", spec=replace(variant.spec, seed=seed),
            epochs=epochs, seed=seed, threads=threads, anneal_to=variant.anneal_to, anneal_epochs=max(1, epochs // 2),
        )
    )  # fmt: skip
    checkpoint = load_checkpoint(result.checkpoint)
    row: dict[str, Any] = {
        "variant": variant.name,
        "seed": seed,
        "epochs": epochs,
        "parameters": sum(parameter.numel() for parameter in checkpoint.network.parameters()),
        "top1": result.top1,
        "layers": [],
    }
    if checkpoint.network.dynamic_layers():
        _, test = open_splits("cifar10", root)
        report = attention_report(checkpoint, test)
        row["layers"] = [
            {"layer": layer.layer, "movement": layer.movement, "distance": layer.distance} for layer in report.layers
        ]
    atomic_write_text(result_file, json.dumps(row, indent=2) + "\n")
    return row
