"""What one training run left: a row of the table, in one JSON file each."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from eamdeploy.base.files import atomic_write_text


@dataclass(frozen=True)
class Row:
    """One finished run.

    Attributes:
        copy: which copy of CIFAR-10.
        top1: percent of the test images after the last epoch.
        correct: a bit per test image, in hexadecimal; ``None`` in rows of an earlier table, which left it out.
        movement: by layer, mean over test images of ``sum_i |alpha_i - mean alpha_i|``.
        device: where it was trained.
        how: precision and acceleration.
    """

    variant: str
    width: float
    seed: int
    epochs: int
    copy: str
    parameters: int
    top1: float
    images: int
    correct: str | None
    movement: dict[str, float]
    device: str
    how: str

    def save(self, path: Path) -> None:
        atomic_write_text(path, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> Row:
        return cls(**json.loads(path.read_text(encoding="utf-8")))
