"""CIFAR-10 decoded once and kept as arrays, so that every run and every process starts at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eamdeploy.base.files import atomic_path
from eamdeploy.data.dataset import ArrayImages, ImageDataset
from eamdeploy.training.sources import open_splits

LOSSLESS, JPEG = "CIFAR-10", "CIFAR-10 re-encoded as JPEG"


class DecodedImages(ArrayImages):
    """A split as arrays: ``pixels (N, H, W, C)`` and ``labels (N,)``."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as stored:
            self.pixels = stored["pixels"]
            self.labels = stored["labels"].tolist()
            self.classes = tuple(stored["classes"].tolist())
            self.copy = str(stored["copy"])
            self.source = str(stored["source"])
        self.name = "cifar10"


def decode(root: Path, folder: Path) -> None:
    """Write ``train.npz`` and ``test.npz`` into ``folder``, unless they are there and of ``root``."""
    source = str(root.resolve())
    paths = [folder / f"{split}.npz" for split in ("train", "test")]
    if all(path.is_file() and DecodedImages(path).source == source for path in paths):
        return
    for path, data in zip(paths, open_splits("cifar10", root), strict=True):
        pixels = np.stack([np.asarray(data.image(index).convert("RGB")) for index in range(len(data))])
        labels = [data.label(index) for index in range(len(data))]
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, pixels=pixels, labels=labels, classes=data.classes, copy=_copy(data), source=source)


def _copy(data: ImageDataset) -> str:
    return JPEG if data.key(0).lower().endswith((".jpg", ".jpeg")) else LOSSLESS
