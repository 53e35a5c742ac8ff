"""Which layer a constant of a .tflite file belongs to, where the converter has lost its name: found by its values, in any order."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

_FEWEST = 16  # values; fewer may be alike by chance
_FLOAT32 = 0


def constant_paths(model: Any, network: nn.Module) -> dict[int, str]:
    """By tensor index, the path of the module that has a parameter or buffer of the same values; each only once."""
    modules: dict[tuple[float, ...], set[str]] = {}
    for name, tensor in (*network.named_parameters(), *network.named_buffers()):
        if tensor.is_floating_point() and tensor.numel() >= _FEWEST:
            modules.setdefault(_values_key(tensor.detach().float().numpy()), set()).add(name.rpartition(".")[0])
    paths: dict[int, str] = {}
    for index, tensor in enumerate(model.subgraphs[0].tensors):
        data = model.buffers[tensor.buffer].data
        if tensor.type != _FLOAT32 or data is None or len(data) < 4 * _FEWEST:
            continue
        owners = modules.get(_values_key(np.frombuffer(np.asarray(data, np.uint8).tobytes(), np.float32)), set())
        if len(owners) == 1:
            paths[index] = next(iter(owners))
    return paths


def _values_key(values: Any) -> tuple[float, ...]:
    """The same for the same values, however they are arranged."""
    ordered = np.sort(values, axis=None)
    places = np.linspace(0, ordered.size - 1, _FEWEST).astype(int)
    return (float(ordered.size), *(float(value) for value in ordered[places]))
