"""IDX files, the layout of MNIST and Fashion-MNIST (http://yann.lecun.com/exdb/mnist/, "The IDX file format")."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eamdeploy.base.errors import DataError
from eamdeploy.base.files import ordinary
from eamdeploy.data.dataset import ArrayImages

FASHION_CLASSES = (
    "t-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """An IDX file of unsigned bytes, gzip-compressed or not.

    Raises:
        DataError: when it is missing, truncated or of another type.
    """
    try:
        content = ordinary(path).read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise DataError("cannot read the IDX file", where=path, why=error) from error
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise DataError("not an IDX file of unsigned bytes", where=path)
    dimensions = content[3]
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise DataError("the IDX file is truncated", where=path)
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) - start != math.prod(shape):
        why = f"{len(content) - start} bytes where {math.prod(shape)} belong"
        raise DataError("the IDX file is truncated", where=path, why=why)
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def find_idx(root: Path, split: str, kind: str) -> Path | None:
    """The file of a split: ``train-images-idx3-ubyte``, ``t10k-labels-idx1-ubyte`` and so on, with ``.gz`` or without."""
    stem = f"{'train' if split == 'train' else 't10k'}-{kind}"
    files = sorted(root.glob(f"{stem}*idx*ubyte*"))
    return files[0] if files else None


class IdxDataset(ArrayImages):
    """One split of a folder of IDX files: grey images."""

    def __init__(self, root: Path, split: str, name: str = "fashion-mnist") -> None:
        images, labels = find_idx(root, split, "images"), find_idx(root, split, "labels")
        if images is None or labels is None:
            raise DataError(f"the IDX files of the {split} split are missing", where=root)
        self.name, self.split = name, split
        self.pixels = read_idx(images)
        self.labels = read_idx(labels).tolist()
        if self.pixels.ndim != 3 or len(self.labels) != len(self.pixels):
            raise DataError("images and labels do not fit each other", where=root)
        fashion = max(self.labels) < len(FASHION_CLASSES) and name.startswith("fashion")
        self.classes = FASHION_CLASSES if fashion else tuple(str(index) for index in range(max(self.labels) + 1))

    def key(self, index: int) -> str:
        """Its position in the split."""
        return f"{self.split}/{index:05d}"
