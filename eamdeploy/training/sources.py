"""The data sets training knows by name, and the preprocessing each is used with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from eamdeploy.base.errors import UsageError, did_you_mean
from eamdeploy.data import ImageDataset, open_dataset
from eamdeploy.data.class_map import output_indices
from eamdeploy.data.dataset import Relabelled
from eamdeploy.data.formats.cifar import CifarDataset
from eamdeploy.data.formats.idx import IdxDataset
from eamdeploy.data.open import in_order_of
from eamdeploy.data.preprocessing import Preprocessing

CIFAR_MEAN, CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class DataSource:
    """A data set's statistics; ``size`` is the usual input."""

    size: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def preprocessing(self, size: int | None = None) -> Preprocessing:
        """Inference preprocessing: as it is for small images; short side to 8/7 of the crop for large ones."""
        input_px = size or self.size
        resize = round(input_px * 8 / 7) if input_px > 64 else None
        return Preprocessing(input_px, resize, self.mean, self.std, self.channels)


SOURCES = {
    "cifar10": DataSource(32, 3, CIFAR_MEAN, CIFAR_STD),
    "cifar100": DataSource(32, 3, CIFAR_MEAN, CIFAR_STD),
    "fashion-mnist": DataSource(28, 1, (0.2860,), (0.3530,)),
    "imagefolder": DataSource(224, 3, IMAGENET_MEAN, IMAGENET_STD),
}


_LOOKED_AT = 64


def input_side(data: ImageDataset, where: object) -> int:
    """The side of the images of a folder, where they are square and of one size; so many of them are looked at.

    Raises:
        UsageError: they are of different sizes or not square, so that the user has to say the input size.
    """
    count = min(len(data), _LOOKED_AT)
    sizes = {data.image(index * len(data) // count).size for index in range(count)}
    width, height = next(iter(sizes))
    if len(sizes) == 1 and width == height:
        return width
    size_list = ", ".join(f"{w}x{h}" for w, h in sorted(sizes)[:3]) + (", …" if len(sizes) > 3 else "")
    why = (
        f"its images are of different sizes ({size_list})"
        if len(sizes) > 1
        else f"its images are {size_list}, not square"
    )
    raise UsageError("the input size has to be said", where=where, why=why, hint="give it, for example `input_px` 224")


def get_source(name: str) -> DataSource:
    """The source of that name.

    Raises:
        UsageError: when there is none.
    """
    if name not in SOURCES:
        raise UsageError(f"unknown data '{name}'", hint=did_you_mean(name, SOURCES))
    return SOURCES[name]


def _as_classes(
    data: ImageDataset, classes: tuple[str, ...], class_map: Mapping[str, int | str] | None
) -> ImageDataset:
    dataset = data if class_map is not None else in_order_of(data, classes)
    if tuple(dataset.classes) == classes and class_map is None:
        return dataset
    relabelled = Relabelled(dataset, output_indices(dataset.classes, classes, class_map, where=data.name), classes)
    relabelled.name = data.name
    return relabelled


def kind_of(root: Path) -> str:
    """The name of the source that a folder looks like: CIFAR's Python files, IDX files, or else a tree of images.

    Raises:
        DataError: when the folder is missing or holds none of these.
    """
    training = open_dataset(root, "train")
    if isinstance(training, CifarDataset):
        return "cifar100" if len(training.classes) == 100 else "cifar10"
    return "fashion-mnist" if isinstance(training, IdxDataset) else "imagefolder"


def open_splits(
    name: str,
    root: Path,
    classes: tuple[str, ...] | None = None,
    class_map: Mapping[str, int | str] | None = None,
) -> tuple[ImageDataset, ImageDataset]:
    """The training and test images; the test images get the training images' classes.

    Args:
        name: of the source.
        root: the folder.
        classes: of the network that training goes on from: labels are its outputs then, whatever the folders' order.
        class_map: from the folders' names to those classes, where they differ.

    Raises:
        DataError: when a split is missing, is not of ``name``'s kind, or its classes are not the network's.
    """
    get_source(name)
    training = open_dataset(root, "train")
    test = open_dataset(root, "test", classes=training.classes)
    if classes is not None:
        training, test = (_as_classes(data, classes, class_map) for data in (training, test))
    for data in (training, test):
        # a copy of CIFAR kept as an image tree is still CIFAR
        if data.name in {"train", "test", "val", root.name}:
            data.name = name if name != "imagefolder" else root.name
    return training, test
