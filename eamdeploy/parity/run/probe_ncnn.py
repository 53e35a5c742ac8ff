"""The inner tensors of an ncnn network, by the names of its blobs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from eamdeploy.parity.run.probe import GraphOperator
from runtimes.readers.ncnn_file import NcnnParam, read_param, split_shared, weights_path

# these hand on what they read
_ARRANGING = ("Input", "MemoryData", "Split")


class NcnnGraph:
    """A .param file's blobs; a tensor's key is its blob's name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._param = read_param(path)
        self.inputs = tuple(blob for layer in self._param.inputs for blob in layer.outputs)
        self.outputs = self._param.outputs
        computed = [(layer.kind, blob) for layer in self._param.layers for blob in layer.outputs]
        self.operators = tuple(
            GraphOperator(layer.kind, layer.name, layer.inputs, layer.outputs) for layer in self._param.layers
        )
        self.tensors = tuple(blob for kind, blob in computed if kind not in _ARRANGING)
        self.softmaxes = tuple(blob for kind, blob in computed if kind == "Softmax")

    def key(self, name: str) -> str | None:
        """See `Graph.key`."""
        return name if name in self.tensors else None

    def write(self, path: Path, keys: Sequence[str]) -> None:
        """See `Graph.write`: a shown blob that a layer reads goes through a ``Split``; the weights are the same file."""
        names = tuple(dict.fromkeys(keys))
        layers = tuple(split_shared(self._param.layers, names))
        path.write_text(NcnnParam(layers, self._param.metadata, (*self.outputs, *keys)).text(), encoding="utf-8")
        weights = weights_path(path)
        try:
            weights.symlink_to(weights_path(self._path).resolve())
        except OSError:  # a file system without links
            shutil.copyfile(weights_path(self._path), weights)
