"""Finished shards of an accuracy measurement, kept until all are: a lost link costs one shard, not all of them."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eamdeploy.base.files import atomic_path, private_folder

Outputs = npt.NDArray[np.float32]


class ShardStore:
    """Outputs by shard, in a folder named after everything that they depend on.

    Args:
        key: changes with the artifact, the images and their order, the runtime's version, the settings and the board.
        root: folder for all of them; the user's cache folder when None.
    """

    def __init__(self, key: str, root: Path | None = None) -> None:
        self._folder = (root or _default_root()) / key

    def load(self, index: int, images: int) -> Outputs | None:
        """The outputs of a finished shard, float32 (images, classes), or None."""
        try:
            outputs: Any = np.load(self._file(index), allow_pickle=False)
        except (OSError, ValueError):
            return None
        return outputs if len(outputs) == images else None

    def save(self, index: int, outputs: Outputs) -> None:
        """Keep a finished shard; it is there whole or not at all."""
        private_folder(self._folder.parent)
        private_folder(self._folder)
        with atomic_path(self._file(index)) as temporary, temporary.open("wb") as file:
            np.save(file, outputs, allow_pickle=False)

    def clear(self) -> None:
        """Forget them: the measurement is complete."""
        with contextlib.suppress(OSError):
            shutil.rmtree(self._folder)

    def _file(self, index: int) -> Path:
        return self._folder / f"shard-{index:05d}.npy"


def _default_root() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("eamdeploy") / "accuracy"
