"""The one interface to labelled images."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image


class ImageDataset(Protocol):
    """Labelled images in a fixed order.

    Attributes:
        name: for messages and cards.
        classes: names, in the order of the labels.
    """

    name: str
    classes: tuple[str, ...]

    def __len__(self) -> int:
        """Number of images."""
        ...

    def image(self, index: int) -> Image.Image:
        """The decoded picture.

        Raises:
            DataError: when it cannot be decoded; the message names it.
        """
        ...

    def label(self, index: int) -> int:
        """Its class, an index into ``classes``."""
        ...

    def key(self, index: int) -> str:
        """A stable name: a relative path, or a position in the file it came from."""
        ...


def label_sets(dataset: ImageDataset) -> list[tuple[int, ...]] | None:
    """The labels of each image, where an image may have several or none; ``None`` where each has one."""
    if isinstance(dataset, Relabelled):
        inner = label_sets(dataset.dataset)
        return None if inner is None else [tuple(sorted(dataset.labels[label] for label in labels)) for labels in inner]
    if isinstance(dataset, Subset):
        inner = label_sets(dataset.dataset)
        return None if inner is None else [inner[index] for index in dataset.indices]
    sets: Sequence[tuple[int, ...]] | None = getattr(dataset, "label_sets", None)
    return None if sets is None else list(sets)


def present_labels(dataset: ImageDataset) -> set[int]:
    """The labels that some image has."""
    sets = label_sets(dataset)
    if sets is not None:
        return {label for labels in sets for label in labels}
    return {dataset.label(index) for index in range(len(dataset))}


def content_hash(image: Image.Image) -> str:
    """SHA-256 of a picture's pixels, mode and size: the same however it was stored."""
    head = f"{image.mode} {image.width} {image.height}\n".encode()
    return hashlib.sha256(head + image.tobytes()).hexdigest()


def balanced_order(labels: Sequence[int]) -> list[int]:
    """All indices, so ordered that any prefix holds the classes as evenly as possible: the first of each, the second..."""
    counts: dict[int, int] = {}
    ranks = []
    for label in labels:
        ranks.append(counts.get(label, 0))
        counts[label] = ranks[-1] + 1
    return sorted(range(len(labels)), key=lambda index: (ranks[index], labels[index]))


class ArrayImages:
    """Images that lie in memory: ``pixels (N, H, W)`` of grey images or ``(N, H, W, 3)``, and a label of each."""

    name: str
    classes: tuple[str, ...]
    pixels: npt.NDArray[np.uint8]
    labels: Sequence[int]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.pixels)

    def image(self, index: int) -> Image.Image:
        """The picture."""
        return Image.fromarray(self.pixels[index])

    def label(self, index: int) -> int:
        """Its class."""
        return self.labels[index]

    def key(self, index: int) -> str:
        """Its position."""
        return str(index)


class Subset:
    """Some images of another data set, in the order given."""

    def __init__(self, dataset: ImageDataset, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, list(indices)
        self.name, self.classes = dataset.name, dataset.classes

    def __len__(self) -> int:
        """Number of images."""
        return len(self.indices)

    def image(self, index: int) -> Image.Image:
        """The decoded picture."""
        return self.dataset.image(self.indices[index])

    def label(self, index: int) -> int:
        """Its class."""
        return self.dataset.label(self.indices[index])

    def key(self, index: int) -> str:
        """Its stable name."""
        return self.dataset.key(self.indices[index])


class Relabelled(Subset):
    """The same images under a network's own classes: label ``i`` becomes ``labels[i]``."""

    def __init__(self, dataset: ImageDataset, labels: Sequence[int], classes: tuple[str, ...]) -> None:
        super().__init__(dataset, range(len(dataset)))
        self.labels, self.classes = tuple(labels), classes

    def label(self, index: int) -> int:
        """Its class, of the network."""
        return self.labels[self.dataset.label(index)]


def take(dataset: ImageDataset, limit: int | None) -> ImageDataset:
    """At most ``limit`` images, balanced over the classes; all where ``limit`` is ``None``.

    Always the same ones: where not every class gets as many, the names decide, not the order in which a network has them.
    """
    if limit is None or limit >= len(dataset):
        return dataset
    by_name = sorted(range(len(dataset.classes)), key=dataset.classes.__getitem__)
    turns = {label: turn for turn, label in enumerate(by_name)}
    several = label_sets(dataset)
    if several is None:
        labels = [turns[dataset.label(index)] for index in range(len(dataset))]
    else:  # an image counts for the first of its names; those without one are one more class
        labels = [min((turns[label] for label in row), default=len(turns)) for row in several]
    order = balanced_order(labels)
    return Subset(dataset, order[:limit])
