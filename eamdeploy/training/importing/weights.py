"""Read foreign weight files into tensors of PyTorch's layout, in the order of the network's layers."""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eamdeploy.base.errors import DataError
from eamdeploy.training.importing.states import choose_state, state_dicts


@dataclass(frozen=True)
class ForeignWeights:
    """Tensors of a file.

    Attributes:
        tensors: by their name in the file.
        folded: batch norm is folded into weights and biases (TensorFlow Lite exports).
        ordered: whether they lie in the order of the network's layers; a safetensors file sorts them by name.
        note: what else the file holds.
    """

    tensors: dict[str, Tensor]
    folded: bool
    ordered: bool = True
    note: str | None = None


def read_weights(path: Path, state: str | None = None) -> ForeignWeights:
    """A ``.npz``, a ``.safetensors``, or a PyTorch state dict, wrapped or not; no code in the file is run.

    Args:
        path: the file.
        state: which of several state dicts, by the keys that lead to it.

    Raises:
        DataError: when the file is missing, damaged, or holds anything but tensors of finite numbers.
    """
    if not path.is_file():
        raise DataError("no such weights file", where=path)
    if path.suffix == ".npz":
        weights = _read_npz(path)
    elif path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            weights = ForeignWeights(load_file(path), folded=False, ordered=False)
        except (SafetensorError, OSError) as error:
            raise DataError("cannot read the weights", where=path, why=error) from error
    else:
        tensors, note = choose_state(state_dicts(_unpickled(path)), state, str(path))
        weights = ForeignWeights(tensors, folded=False, note=note)
    return replace(weights, tensors=_finite(weights.tensors, path))


def _finite(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """As float32, where they are numbers that a layer computes with."""
    finite = {}
    for name, value in tensors.items():
        if value.is_floating_point():
            value = value.detach().float()
            if not bool(torch.isfinite(value).all()):
                raise DataError(
                    "the weights hold a NaN or an infinity", where=path, why=name, hint="train or save it again"
                )
            if name.endswith(("running_var", "moving_variance")) and bool((value < 0).any()):
                raise DataError("the weights hold a negative variance", where=path, why=name)
        elif value.ndim > 1:
            why = f"{name} holds {str(value.dtype).removeprefix('torch.')}"
            raise DataError("the weights are not floating point", where=path, why=why, hint="give the float weights")
        finite[name] = value
    return finite


def _read_npz(path: Path) -> ForeignWeights:
    """With biases and no batch norms: TFLite's layouts, where OHWI becomes OIHW and depthwise 1HWC becomes C1HW; else as it is."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: np.asarray(archive[name]) for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise DataError("cannot read the weights", where=path, why=error) from error
    # any batch norm has a mean, in every library's names
    folded = not any("mean" in name.lower() for name in arrays)
    tensors = {}
    for name, array in arrays.items():
        if array.ndim == 4 and folded:
            array = array.transpose(3, 0, 1, 2) if "depthwise" in name else array.transpose(0, 3, 1, 2)
        tensors[name] = torch.from_numpy(np.ascontiguousarray(array))
    return ForeignWeights(tensors, folded)


def _unpickled(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        why = "it holds Python objects, not only weights" if "weights_only" in str(error).lower() else "it is damaged"
        hint = "save it anew with torch.save(model.state_dict(), ...)"
        raise DataError("cannot read the weights", where=path, why=why, hint=hint) from error
