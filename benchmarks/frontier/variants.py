"""The artifacts that are compared, made by the same command line that a user has."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

STATIC, EXACT = "static twin", "exact"


@dataclass(frozen=True)
class FrontierVariant:
    """One network in one form.

    Attributes:
        name: ``static twin``, ``exact``, or ``budget P``.
        artifacts: by (format, precision).
        budget: the report of how it was spent.
    """

    name: str
    artifacts: dict[tuple[str, str], Path]
    budget: dict[str, Any] | None = None


@dataclass(frozen=True)
class VariantOptions:
    """What all variants of a network have in common."""

    precisions: str
    minimize: str
    class_map: Path | None


def cli(*arguments: str) -> dict[str, Any]:
    """Run ``eamdeploy`` with ``--json``; its errors end the benchmark."""
    command = [sys.executable, "-m", "eamdeploy", *arguments, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"eamdeploy {arguments[0]} ended with {done.returncode}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def static_twin(checkpoint: str, path: Path) -> Path:
    """The same network with one kernel a layer and seeded random weights: for time and size, not for accuracy."""
    from eamdeploy.networks.checkpoint import load_checkpoint, save_checkpoint
    from eamdeploy.networks.random_init import random_network

    loaded = load_checkpoint(checkpoint)
    network = random_network(replace(loaded.spec, conv="static"))
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = {"data": "none (random weights)"}
    save_checkpoint(path, network, preprocessing=loaded.preprocessing, classes=loaded.classes, meta=meta)
    return path


def make_variant(
    name: str,
    checkpoint: str,
    data: Path,
    out: Path,
    options: VariantOptions,
    *,
    budget: float | None = None,
    finetune: int = 0,
) -> FrontierVariant:
    """Export ``checkpoint`` to both formats and all precisions, within ``budget`` points where one is given."""
    arguments = ["export", checkpoint, "--format", "onnx,tflite", "--precision", options.precisions, "--out", str(out)]
    arguments += ["--name", "net", "--calibration", str(data), "--max-drop", "100"]
    if budget is not None:
        arguments += ["--budget", f"{budget:g}", "--minimize", options.minimize]
    else:
        arguments += ["--data", str(data)]
    if finetune:
        arguments += ["--finetune", str(finetune)]
    if options.class_map is not None:
        arguments += ["--class-map", str(options.class_map)]
    entries = cli(*arguments)["artifacts"]
    artifacts = {(entry["format"], entry["precision"]): Path(entry["path"]) for entry in entries}
    budget_entry = next((entry["budget"] for entry in entries if entry.get("budget")), None)
    return FrontierVariant(name, artifacts, budget_entry)
