"""A tree of images, one folder a class (torchvision's ImageFolder layout)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from eamdeploy.base.errors import DataError

EXTENSIONS = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff"}


def read_image(path: Path) -> Image.Image:
    """Decode a picture fully.

    Raises:
        DataError: naming the file, when it is missing or no image.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return image.copy()
    except FileNotFoundError as error:
        raise DataError("no such image", where=path) from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = "it is no image" if isinstance(error, UnidentifiedImageError) else str(error)
        raise DataError("cannot read the image", where=path, why=reason, hint="remove or replace it") from error


class FolderDataset:
    """``root/CLASS/*.jpg``: classes are the sorted names of the folders that hold images, at any depth below them.

    A class with a slash in its name (Fashion-MNIST has one) is a folder in a folder.
    """

    def __init__(self, root: Path, classes: tuple[str, ...] | None = None) -> None:
        self.root, self.name = root, root.name
        folders = [folder.name for folder in sorted(root.iterdir()) if folder.is_dir()]
        names = folders if classes is None else classes
        found = {name: _images(root / name) for name in names if name in folders or (root / name).is_dir()}
        self.classes = classes if classes is not None else tuple(name for name, files in found.items() if files)
        self.files = [(file, self.classes.index(name)) for name in self.classes for file in found.get(name, [])]
        if not self.files:
            raise _nothing(root, folders, classes or ())

    def __len__(self) -> int:
        """Number of images."""
        return len(self.files)

    def image(self, index: int) -> Image.Image:
        """The decoded picture."""
        return read_image(self.files[index][0])

    def label(self, index: int) -> int:
        """Its class."""
        return self.files[index][1]

    def key(self, index: int) -> str:
        """Its path below the root."""
        return self.files[index][0].relative_to(self.root).as_posix()


def _nothing(root: Path, folders: Sequence[str], classes: Sequence[str]) -> DataError:
    holding = next((name for name in folders if _images(root / name)), None)
    if holding is None or not classes:
        return DataError("no images in the folder", where=root, hint="it should hold one folder of images per class")
    return DataError(
        "no folder of images is named after a class",
        where=root,
        why=f"the folders have other names (such as '{holding}') than the classes (such as '{classes[0]}')",
        hint="rename the folders, or give other data",
    )


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS and path.is_file())
