"""Labelled images for a budget: one set to search on, another to confirm on, with no picture in both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eamdeploy.base.errors import DataError
from eamdeploy.data import ImageDataset, open_labelled
from eamdeploy.data.dataset import Subset, balanced_order, content_hash, take
from eamdeploy.data.preprocessing import Preprocessing

# one batch's float32 pixels; larger images come in smaller batches
BATCH_PIXELS = 4_000_000


# compared by identity: two sets may well have one name
@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Decoded images with their labels.

    Attributes:
        name: where they are from, for reports.
        pixels: uint8, ``(N, H, W, C)``, resized and cropped as the network wants them.
        labels: int64, ``(N,)``.
    """

    name: str
    pixels: Tensor
    labels: Tensor
    preprocessing: Preprocessing

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    def batches(self) -> Iterator[Tensor]:
        """Normalised float32 batches ``(B, C, H, W)`` in order."""
        size = max(1, min(250, BATCH_PIXELS // int(np.prod(self.pixels.shape[1:]))))
        for pixels in torch.split(self.pixels, size):
            normal = self.preprocessing.normalize(pixels.numpy())
            yield torch.from_numpy(normal).permute(0, 3, 1, 2).contiguous()

    def first(self, count: int) -> LabelledImages:
        """The first ``count``; the order is balanced over the classes."""
        return LabelledImages(self.name, self.pixels[:count], self.labels[:count], self.preprocessing)


@dataclass(frozen=True)
class BudgetImages:
    """``calibration`` is searched on, ``validation`` confirms; ``parted``: both are halves of one set."""

    calibration: LabelledImages
    validation: LabelledImages
    parted: bool


def budget_images(
    calibration: Path,
    validation: Path | None,
    preprocessing: Preprocessing,
    classes: tuple[str, ...],
    *,
    limit: int,
    class_map: Mapping[str, int | str] | None = None,
) -> BudgetImages:
    """Read both sets, at most ``limit`` images each, balanced over the classes and always the same ones.

    The first is the training split below ``calibration``, or all images where there are no splits. The second is the
    test split below ``validation``; where that is not given, or holds the very same images, the first is parted in two.
    ``class_map`` says which of ``classes`` each of the data's own stands for, where the names differ.

    Raises:
        DataError: when a folder cannot be read, its classes are not the network's, or too few images remain.
    """
    first = _checked(open_labelled(calibration, "train", classes, class_map), classes)
    second = None if validation is None else _checked(open_labelled(validation, "test", classes, class_map), classes)
    if second is not None:
        first_part, two = take(first, limit), take(second, limit)
        if not _overlap(first_part, two):
            return BudgetImages(decode(first_part, preprocessing), decode(two, preprocessing), parted=False)
    labels = [first.label(index) for index in range(len(first))]
    order = balanced_order(labels)[: 2 * limit]
    # a class map may name a few of the network's classes only
    present = len(set(labels))
    if len(order) < 2 * present:
        raise DataError(
            f"{len(order)} images are too few to search on one half and confirm on the other",
            where=first.name,
            hint=f"give at least {2 * present}, better some thousands",
        )
    halves = _halves(first, order)
    return BudgetImages(decode(halves[0], preprocessing), decode(halves[1], preprocessing), parted=True)


def _halves(data: ImageDataset, order: Sequence[int]) -> tuple[ImageDataset, ImageDataset]:
    """Every other image of each class."""
    parts: tuple[list[int], list[int]] = ([], [])
    class_counts: dict[int, int] = {}
    for index in order:
        label = data.label(index)
        parts[class_counts.get(label, 0) % 2].append(index)
        class_counts[label] = class_counts.get(label, 0) + 1
    first_part, two = Subset(data, parts[0]), Subset(data, parts[1])
    first_part.name, two.name = f"{data.name}, first half", f"{data.name}, second half"
    return first_part, two


def _checked(data: ImageDataset, classes: tuple[str, ...]) -> ImageDataset:
    if len(data.classes) != len(classes):
        why = f"the data has {len(data.classes)} classes, the network {len(classes)}"
        raise DataError("data and network do not fit", where=data.name, why=why)
    return data


def _overlap(first: ImageDataset, two: ImageDataset) -> bool:
    """Whether any of the first hundred pictures of ``two`` is among ``first``'s."""
    hashes = {content_hash(first.image(index)) for index in range(len(first))}
    return any(content_hash(two.image(index)) in hashes for index in range(min(100, len(two))))


def decode(data: ImageDataset, preprocessing: Preprocessing) -> LabelledImages:
    """The images of ``data`` that can be read, as the network will see them.

    Raises:
        DataError: when none can.
    """
    pixels = np.empty((len(data), *preprocessing.size_hw, preprocessing.channels), dtype=np.uint8)
    decoded_indices: list[int] = []
    for index in range(len(data)):
        try:
            pixels[len(decoded_indices)] = preprocessing.pixels(data.image(index))
        except DataError:
            continue
        decoded_indices.append(index)
    if not decoded_indices:
        raise DataError("none of the images could be read", where=data.name)
    labels = torch.tensor([data.label(index) for index in decoded_indices])
    return LabelledImages(data.name, torch.from_numpy(pixels[: len(decoded_indices)]), labels, preprocessing)
