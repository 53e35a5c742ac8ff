"""The sample of real images that comes with the package, so that a first run needs no download.

200 images of Fashion-MNIST's test set, 20 a class (Xiao et al. 2017, arXiv 1708.07747, MIT licence), as IDX files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eamdeploy.base.errors import DataError
from eamdeploy.data.dataset import ImageDataset
from eamdeploy.data.formats.idx import FASHION_CLASSES, IdxDataset

FOLDER = Path(__file__).parent / "fashion_mnist_sample"


def embedded_sample() -> ImageDataset:
    """The shipped images with their labels."""
    return IdxDataset(FOLDER, "test", name="fashion-mnist-sample")


def sample_for(classes: Sequence[str]) -> ImageDataset:
    """The embedded sample, for a network of these classes.

    Raises:
        DataError: when the classes are not the sample's, so that the user must give data.
    """
    if tuple(classes) != FASHION_CLASSES:
        why = "the embedded sample is Fashion-MNIST, and these are other classes"
        raise DataError("no data was given", why=why, hint="give a folder of images as `data`")
    return embedded_sample()
