"""Find out what a folder holds, and open it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from eamdeploy.base.errors import DataError
from eamdeploy.data.class_map import output_indices
from eamdeploy.data.dataset import ImageDataset, Relabelled
from eamdeploy.data.formats.cifar import FOLDERS, CifarDataset
from eamdeploy.data.formats.folder import FolderDataset
from eamdeploy.data.formats.idx import IdxDataset, find_idx
from eamdeploy.data.formats.listing import ListedImages, find_listing

TRAIN_NAMES = ("train",)
TEST_NAMES = ("test", "val", "validation", "valid")


def open_dataset(root: Path | str, split: str = "test", classes: tuple[str, ...] | None = None) -> ImageDataset:
    """The ``train`` or ``test`` split of the data below ``root``.

    Understood are: a table of pictures and labels (``labels.csv`` in the folder or in its split, or another ``.csv`` file); a CIFAR
    Python folder or its parent; a folder of IDX files; a tree with one folder of images per class,
    or with ``train/`` and ``test/`` (or ``val/``) above those. A tree without a split serves as both.

    Args:
        classes: of an image tree: the names in the order of the labels, where that is known.

    Raises:
        DataError: when the folder is missing or holds none of these.
    """
    path = Path(root)
    if not path.exists():
        raise DataError("no such data folder", where=path)
    if (table := find_listing(path)) is not None:
        return ListedImages(table, classes)
    if not path.is_dir():
        raise DataError("the data must be a folder", where=path, hint="unpack archives first")
    for candidate in (path, *(path / name for name in FOLDERS)):
        if candidate.name in FOLDERS and candidate.is_dir():
            return CifarDataset(candidate, split)
    if find_idx(path, split, "images") or find_idx(path, "test" if split == "train" else "train", "images"):
        return IdxDataset(path, split)
    names = TRAIN_NAMES if split == "train" else TEST_NAMES
    tree = next((path / name for name in names if (path / name).is_dir()), None)
    if tree is None and any((path / name).is_dir() for name in (*TRAIN_NAMES, *TEST_NAMES)):
        raise DataError(f"no {split} split", where=path, hint=f"expected a folder named {' or '.join(names)}")
    if tree is not None and (table := find_listing(tree)) is not None:
        return ListedImages(table, classes)
    return FolderDataset(tree or path, classes)


def open_images(root: Path | str, classes: tuple[str, ...], split: str = "test") -> ImageDataset:
    """As :func:`open_dataset`, for a network of ``classes``: labels follow its order where the names are the same.

    Other names are no error: what only looks at the pictures has no use for labels.
    """
    return in_order_of(open_dataset(root, split), classes)


def open_labelled(
    root: Path | str, split: str, classes: tuple[str, ...], class_map: Mapping[str, int | str] | None
) -> ImageDataset:
    """As :func:`open_dataset`, labelled by a network's ``classes``: by folder names, or as ``class_map`` says.

    Raises:
        DataError: when the folder holds no data, or the map does not fit.
    """
    if class_map is None:
        return open_dataset(root, split, classes)
    dataset = open_dataset(root, split)
    return Relabelled(dataset, output_indices(dataset.classes, classes, class_map, where=dataset.name), classes)


def in_order_of(dataset: ImageDataset, classes: tuple[str, ...]) -> ImageDataset:
    """A tree of images with its labels in the order of ``classes``, where those are its folders' names; else ``dataset``.

    A class with a slash in its name is a folder in a folder, which is not seen from the top.
    """
    if isinstance(dataset, ListedImages):
        return dataset.with_classes(classes)
    if not isinstance(dataset, FolderDataset) or dataset.classes == classes:
        return dataset
    same = sorted(dataset.classes) == sorted(classes) or all((dataset.root / name).is_dir() for name in classes)
    return FolderDataset(dataset.root, classes) if same and classes else dataset
