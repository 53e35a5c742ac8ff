"""The images of an accuracy measurement: prepared once on the host, in an order that depends on their content alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eamdeploy.base.errors import DataError, UsageError
from eamdeploy.data import ImageDataset, open_dataset, sample_for
from eamdeploy.data.class_list import position_of
from eamdeploy.data.dataset import content_hash, label_sets, take
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.data.remarks import remarks_on
from eamdeploy.inference.head import Head
from eamdeploy.inference.head_metrics import label_matrix
from eamdeploy.inference.model_card import head_of
from runtimes.readers.metadata import ArtifactMetadata

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Images:
    """Images after colour conversion, resize and crop.

    Attributes:
        pixels: uint8 (N, H, W, C).
        labels: classes as the artifact numbers them; of a multi-label head 0 or 1 for each label, (N, labels).
        name: of the data set.
        preprocessing: what is left to do is its normalisation.
        head: what the artifact's output means.
        classes: how many the artifact names.
        remarks: what a user should know of the files that the images came from.
        identity: digest of the pictures before any preparation and of their classes' names: the same for every artifact.
    """

    pixels: Pixels
    labels: npt.NDArray[np.int64]
    name: str
    preprocessing: Preprocessing
    identity: str
    head: Head = field(default_factory=Head)
    classes: int | None = None
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of images."""
        return len(self.pixels)

    @cached_property
    def digest(self) -> str:
        """Identifies the images, their order, their labels and how they are prepared."""
        digest = hashlib.sha256(repr(sorted(self.preprocessing.to_dict().items())).encode())
        digest.update(self.pixels.tobytes())
        digest.update(self.labels.tobytes())
        return digest.hexdigest()

    @property
    def scale_and_shift(self) -> tuple[list[float], list[float]]:
        """Normalisation as one product and one sum of float32 per channel."""
        return self.preprocessing.scale_and_shift()


def prepare_images(metadata: ArtifactMetadata, data: Path | None, limit: int | None, artifact: Path) -> Images:
    """Open, choose and prepare the images for an artifact.

    Their order depends on the pictures and their classes alone, so that artifacts with other input sizes see the same.

    Args:
        metadata: of the artifact; tells preprocessing and classes.
        data: folder; None: the embedded sample, where its classes are the artifact's.
        limit: at most so many, balanced over the classes.
        artifact: for messages.

    Raises:
        UsageError: the artifact does not say how images are prepared.
        DataError: no such data, or its classes are not the artifact's.
    """
    if metadata.preprocessing is None:
        hint = "describe it with `eamdeploy attach`, or leave `data` out to measure latency only"
        raise UsageError("the artifact does not say how its images are prepared", where=artifact, hint=hint)
    preprocessing, head = Preprocessing.from_dict(metadata.preprocessing), head_of(metadata)
    dataset = sample_for(metadata.classes) if data is None else open_dataset(data, "test", metadata.classes or None)
    subset = take(dataset, limit)
    numbers = _numbering(subset, metadata.classes, artifact)
    sets = label_sets(subset)
    if head.multi_label:
        targets = label_matrix(subset, numbers, len(metadata.classes) or len(subset.classes), where=artifact)
    else:
        targets = np.asarray([numbers[subset.label(index)] for index in range(len(subset))], dtype=np.int64)
    prepared: list[Pixels] = []
    keys: list[tuple[str, str]] = []
    for index in range(len(subset)):
        picture = subset.image(index)
        prepared.append(preprocessing.pixels(picture))
        positions = (subset.label(index),) if sets is None else sets[index]
        keys.append((content_hash(picture), ";".join(subset.classes[label] for label in positions)))
    order = sorted(range(len(subset)), key=keys.__getitem__)
    labels = targets[order]
    identity = hashlib.sha256(repr([keys[index] for index in order]).encode()).hexdigest()
    remarks = tuple(remarks_on(dataset, exif=preprocessing.exif))
    pixels, count = np.stack([prepared[index] for index in order]), len(metadata.classes) or None
    return Images(
        pixels,
        labels,
        name=dataset.name,
        preprocessing=preprocessing,
        identity=identity,
        head=head,
        classes=count,
        remarks=remarks,
    )


def _numbering(dataset: ImageDataset, classes: Sequence[str], artifact: Path) -> list[int]:
    """For each class of the data, its number in the artifact."""
    if not classes:
        return list(range(len(dataset.classes)))
    if tuple(dataset.classes) == tuple(classes):
        return list(range(len(classes)))
    numbers = []
    for name in dataset.classes:
        number = position_of(name, classes, artifact)
        if number is None:
            why = f"the data has '{name}', which the artifact does not know"
            raise DataError("the data's classes are not the artifact's", where=artifact, why=why)
        numbers.append(number)
    return numbers
