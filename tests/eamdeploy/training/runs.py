"""A short training run on a small image tree, as several tests ask for it."""

from __future__ import annotations

from pathlib import Path

from eamdeploy.networks.spec import ArchSpec
from eamdeploy.training.session import TrainingRequest

SPEC = ArchSpec(width=0.25, classes=1, input_px=32)


def request(tree: Path, out: Path, **changes: object) -> TrainingRequest:
    """Three epochs at 16 px on one thread, but for ``changes``."""
    values = {
        "recipe": "cpu-small", "spec": SPEC, "input_px": 16, "epochs": 3, "batch": 32, "lr": 0.05, "threads": 1, **changes
    }  # fmt: skip
    return TrainingRequest(data="imagefolder", root=tree, out=out, **values)
