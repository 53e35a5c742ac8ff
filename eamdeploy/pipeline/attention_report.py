"""How much a checkpoint's attention moves over a folder of images, and what that says about making it cheaper.

report = attention_report(load_checkpoint("net.safetensors"), Path("images"), limit=1000)
report.layers[0].movement, report.sentence
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eamdeploy.base.errors import DataError, UsageError
from eamdeploy.data import ImageDataset, open_images
from eamdeploy.data.dataset import take
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.checkpoint import Checkpoint
from export.rewrites.attention_stats import LayerAttention, attention_statistics

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_IMAGES = 1000
BATCH = 50
# a kernel that stays this close to the mean kernel is as good as static
STILL = 0.02


@dataclass(frozen=True)
class AttentionReport:
    """The attention of every dynamic layer over some images.

    Attributes:
        skipped: images that could not be decoded.
    """

    checkpoint: str
    data: str
    images: int
    layers: tuple[LayerAttention, ...]
    skipped: tuple[str, ...] = ()

    @property
    def still(self) -> int:
        """Layers whose kernel stays within 2 % of its mean on every image."""
        return sum(layer.distance_max <= STILL for layer in self.layers)

    @property
    def sentence(self) -> str:
        """The finding in words."""
        return (
            f"{self.still} of {len(self.layers)} dynamic layers stay within {100 * STILL:.0f} % of their mean kernel on all "
            f"{self.images} images; an export with a budget can say what collapsing them costs"
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "checkpoint": self.checkpoint,
            "data": self.data,
            "images": self.images,
            "layers": [layer.to_dict() for layer in self.layers],
            "still": self.still,
            "sentence": self.sentence,
            "skipped": list(self.skipped),
        }


def attention_report(checkpoint: Checkpoint, data: Path | ImageDataset, limit: int | None = None) -> AttentionReport:
    """Measure the attention over at most ``limit`` images of ``data`` (its training split where it has one).

    Raises:
        UsageError: for a network without dynamic layers.
        DataError: when no image can be read.
    """
    if not checkpoint.network.dynamic_layers():
        raise UsageError("the network has no attention", where=checkpoint.name, why="every layer of it is static")
    dataset = _images_of(data, checkpoint.classes) if isinstance(data, Path) else data
    images = take(dataset, limit or DEFAULT_IMAGES)
    skipped: list[str] = []
    feeds = _batches(images, Preprocessing.from_dict(checkpoint.preprocessing), skipped)
    statistics = attention_statistics(checkpoint.network, feeds)
    if not statistics:
        raise DataError("none of the images could be read", where=images.name)
    layers = tuple(statistics.values())
    return AttentionReport(checkpoint.name, images.name, layers[0].images, layers, tuple(skipped))


def _images_of(root: Path, classes: tuple[str, ...]) -> ImageDataset:
    try:
        return open_images(root, classes, "train")
    except DataError:
        return open_images(root, classes, "test")


def _batches(images: ImageDataset, preprocessing: Preprocessing, skipped: list[str]) -> Iterator[Tensor]:
    import torch

    pending: list[np.ndarray[Any, Any]] = []
    for index in range(len(images)):
        try:
            pending.append(preprocessing.apply(images.image(index)))
        except DataError:
            skipped.append(images.key(index))
        if len(pending) == BATCH or (pending and index == len(images) - 1):
            yield torch.from_numpy(np.stack(pending))
            pending = []
