"""CIFAR-10 and CIFAR-100 in their Python layout (Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html).

The batches are pickles. They are read by an unpickler that can build the arrays, strings and containers of that layout and
nothing else, so a foreign pickle is refused, not run.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from eamdeploy.base.errors import DataError
from eamdeploy.base.files import ordinary

FOLDERS = {"cifar-10-batches-py": 10, "cifar-100-python": 100}
# the three globals an array needs, under the names numpy has had over the years
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class _ArrayUnpickler(pickle.Unpickler):  # noqa: S301 -- this is the restricted one
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        # numpy moved the module; the old name still imports but warns
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _load(path: Path) -> dict[str, Any]:
    try:
        loaded = _ArrayUnpickler(io.BytesIO(ordinary(path).read_bytes()), encoding="bytes").load()
    except FileNotFoundError as error:
        raise DataError("a batch of the data set is missing", where=path) from error
    except (pickle.UnpicklingError, EOFError, ValueError, AttributeError, IndexError, OSError) as error:
        hint = "unpack the data set again"
        raise DataError("not a CIFAR batch, or a damaged one", where=path, why=error, hint=hint) from error
    if not isinstance(loaded, dict):
        raise DataError("not a CIFAR batch", where=path, why=f"it holds a {type(loaded).__name__}")
    return {key.decode() if isinstance(key, bytes) else str(key): value for key, value in loaded.items()}


class CifarDataset:
    """One split of a ``cifar-10-batches-py`` or ``cifar-100-python`` folder."""

    def __init__(self, root: Path, split: str) -> None:
        self.name = "cifar10" if root.name == "cifar-10-batches-py" else "cifar100"
        hundred = self.name == "cifar100"
        if hundred:
            parts = [root / ("train" if split == "train" else "test")]
        elif split == "train":
            parts = sorted(root.glob("data_batch_*"))
        else:
            parts = [root / "test_batch"]
        if not parts:
            raise DataError("no data_batch_* files", where=root)
        batches = [_load(part) for part in parts]
        labels_key, names_key = ("fine_labels", "fine_label_names") if hundred else ("labels", "label_names")
        names = _load(root / ("meta" if hundred else "batches.meta"))
        try:
            self.classes = tuple(str(_text(name)) for name in names[names_key])
            self.pixels: npt.NDArray[np.uint8] = np.concatenate(
                [np.asarray(batch["data"], dtype=np.uint8).reshape(-1, 3, 32, 32) for batch in batches]
            )
            self.labels = [int(label) for batch in batches for label in batch[labels_key]]
        except (KeyError, ValueError) as error:
            raise DataError("not a CIFAR batch", where=root, why=f"{error} is not as expected") from error
        if len(self.labels) != len(self.pixels):
            raise DataError("labels and images differ in number", where=root)
        self.split = split

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    def image(self, index: int) -> Image.Image:
        """The picture, 32x32 RGB."""
        return Image.fromarray(np.ascontiguousarray(self.pixels[index].transpose(1, 2, 0)))

    def label(self, index: int) -> int:
        """Its class."""
        return self.labels[index]

    def key(self, index: int) -> str:
        """Its position in the split."""
        return f"{self.split}/{index:05d}"


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
