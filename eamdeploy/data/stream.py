"""Go through a data set picture by picture, past those that do not decode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from PIL import Image

from eamdeploy.base.errors import DataError
from eamdeploy.data.dataset import ImageDataset

T = TypeVar("T")


def chunks(
    dataset: ImageDataset, prepare: Callable[[Image.Image], T], size: int, skipped: list[str]
) -> Iterator[tuple[list[int], list[T]]]:
    """Indices and prepared pictures, ``size`` at a time; names of those that do not decode go into ``skipped``.

    Raises:
        DataError: when not a single picture decodes.
    """
    indices: list[int] = []
    values: list[T] = []
    total = 0
    reason: DataError | None = None
    for index in range(len(dataset)):
        try:
            values.append(prepare(dataset.image(index)))
        except DataError as error:
            skipped.append(dataset.key(index))
            reason = error
            continue
        indices.append(index)
        total += 1
        if len(values) == size:
            yield indices, values
            indices, values = [], []
    if values:
        yield indices, values
    if not total:
        raise DataError("none of the images decodes", where=dataset.name, why=reason)
