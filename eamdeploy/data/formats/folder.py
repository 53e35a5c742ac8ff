"""A tree of images with one folder a class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from eamdeploy.base.errors import DataError
from eamdeploy.data.class_list import position_of
from eamdeploy.data.picture import is_turned, largest_value, picture_suffixes, read_image

# what systems and archivers put beside people's files
_LITTER = {"__macosx", "thumbs.db", "desktop.ini", "@eadir"}


class FolderDataset:
    """``root/CLASS/*.jpg``: classes are the sorted names of the folders that hold images, at any depth below them.

    A class with a slash in its name (Fashion-MNIST has one) is a folder in a folder. Hidden files and folders, and what
    systems leave behind (``__MACOSX``, ``Thumbs.db``), are not looked at.

    Attributes:
        left_out: visible files in the classes' folders whose ending is of no picture, links that lead nowhere and the
            like, as paths below the root.
        of_no_class: folders that hold pictures and are named after none of the classes that were given.
        turned: positions of pictures read so far that EXIF says are to be turned.
        read: positions of all pictures read so far.
        largest: of those read so far with more than 8 bits, position to largest grey value.
    """

    def __init__(self, root: Path, classes: tuple[str, ...] | None = None) -> None:
        self.root, self.name = root, root.name
        folders = [folder.name for folder in sorted(root.iterdir()) if folder.is_dir() and not is_litter(folder.name)]
        names = folders if classes is None else classes
        left_out: list[Path] = []
        images_by_class = {
            name: _images(root / name, left_out) for name in names if name in folders or (root / name).is_dir()
        }
        self.classes = (
            classes if classes is not None else tuple(name for name, files in images_by_class.items() if files)
        )
        places = {name: position_of(name, self.classes, root) for name, files in images_by_class.items() if files}
        self.files = [
            (file, place) for name, place in places.items() if place is not None for file in images_by_class[name]
        ]
        self.left_out = tuple(path.relative_to(root).as_posix() for path in left_out)
        parts = {name.split("/")[0] for name in names}
        self.of_no_class = tuple(name for name in folders if name not in parts and _images(root / name, []))
        self.turned: set[int] = set()
        self.indices_read: set[int] = set()
        self.largest: dict[int, int] = {}
        if not self.files:
            raise _nothing(root, folders, classes or (), self.left_out)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.files)

    def image(self, index: int) -> Image.Image:
        """The decoded picture."""
        picture = read_image(self.files[index][0])
        self.indices_read.add(index)
        if is_turned(picture):
            self.turned.add(index)
        if (largest := largest_value(picture)) is not None:
            self.largest[index] = largest
        return picture

    def label(self, index: int) -> int:
        """Its class."""
        return self.files[index][1]

    def key(self, index: int) -> str:
        """Its path below the root."""
        return self.files[index][0].relative_to(self.root).as_posix()


def is_litter(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or left there by a system."""
    return name.startswith(".") or name.lower() in _LITTER


def _nothing(root: Path, folders: Sequence[str], classes: Sequence[str], left_out: Sequence[str]) -> DataError:
    holding = next((name for name in folders if _images(root / name, [])), None)
    if holding is None or not classes:
        why = f"{len(left_out)} files have endings of no picture, such as {left_out[0]}" if left_out else None
        hint = "it should hold one folder of images per class"
        return DataError("no images in the folder", where=root, why=why, hint=hint)
    return DataError(
        "no folder of images is named after a class",
        where=root,
        why=f"the folders have other names (such as '{holding}') than the classes (such as '{classes[0]}')",
        hint="rename the folders, or give other data",
    )


def _images(folder: Path, left_out: list[Path]) -> list[Path]:
    suffixes = picture_suffixes()
    paths: list[Path] = []
    for path in sorted(folder.rglob("*")):
        if any(is_litter(part) for part in path.relative_to(folder).parts) or path.is_dir():
            continue
        if not path.is_file():  # a link to nowhere, a pipe
            left_out.append(path)
            continue
        (paths if path.suffix.lower() in suffixes else left_out).append(path)
    return paths
