"""What a user's folders give a quantizer: images to calibrate with, images to check on."""

from __future__ import annotations

from pathlib import Path

from eamdeploy.base.errors import DataError
from eamdeploy.data import ImageDataset, sample_for
from eamdeploy.data.open import open_images


def open_splits(
    calibration: Path | None, data: Path | None, classes: tuple[str, ...]
) -> tuple[ImageDataset, ImageDataset | None]:
    """Images to calibrate with and images to check on.

    The training split of ``calibration``, and the test split of ``data`` or, without it, of ``calibration``. Where a folder has no
    two splits the second is ``None``. Without ``calibration``: ``data``'s; without both, the embedded sample.

    Raises:
        DataError: when a folder is missing or holds no images, or none is given for classes that the sample has not.
    """
    root = calibration or data
    if root is None:
        return sample_for(classes), None
    try:
        images = open_images(root, classes, "train")
    except DataError:
        images = open_images(root, classes, "test")
    if data is not None:
        checked = open_images(data, classes, "test")
    else:
        try:
            checked = open_images(root, classes, "test")
        except DataError:
            return images, None
    same = len(images) == len(checked) and [
        images.key(0),
        images.key(len(images) - 1),
    ] == [
        checked.key(0),
        checked.key(len(images) - 1),
    ]
    return images, None if same and (data is None or data == calibration) else checked
