"""Read foreign weight files into tensors of PyTorch's layout, in the order of the network's layers."""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eamdeploy.base.errors import DataError


@dataclass(frozen=True)
class Weights:
    """Tensors in file order.

    Attributes:
        tensors: by their name in the file.
        folded: batch norm is folded into weights and biases (TensorFlow Lite exports).
    """

    tensors: dict[str, Tensor]
    folded: bool


def read_weights(path: Path) -> Weights:
    """A ``.npz`` in TFLite layouts, a ``.safetensors``, or a PyTorch state dict; no code in the file is run.

    Raises:
        DataError: when the file is missing, damaged, or holds anything but tensors.
    """
    if not path.is_file():
        raise DataError("no such weights file", where=path)
    if path.suffix == ".npz":
        return Weights(_read_npz(path), folded=True)
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return Weights(load_file(path), folded=False)
        except (SafetensorError, OSError) as error:
            raise DataError("cannot read the weights", where=path, why=error) from error
    return Weights(_read_state_dict(path), folded=False)


def _read_npz(path: Path) -> dict[str, Tensor]:
    """Convolutions OHWI become OIHW, depthwise 1HWC become C1HW."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: np.asarray(archive[name], dtype=np.float32) for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise DataError("cannot read the weights", where=path, why=error) from error
    tensors = {}
    for name, array in arrays.items():
        if array.ndim == 4:
            array = array.transpose(3, 0, 1, 2) if "depthwise" in name else array.transpose(0, 3, 1, 2)
        tensors[name] = torch.from_numpy(np.ascontiguousarray(array))
    return tensors


def _read_state_dict(path: Path) -> dict[str, Tensor]:
    try:
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        why = "it holds Python objects, not only weights" if "weights_only" in str(error).lower() else "it is damaged"
        hint = "save it anew with torch.save(model.state_dict(), ...)"
        raise DataError("cannot read the weights", where=path, why=why, hint=hint) from error
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise DataError("the file is not a state dict", where=path, hint="save model.state_dict()")
    return loaded
