"""The inner tensors of a .mnn file, by name."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

from eamdeploy.parity.run.probe import GraphOperator
from runtimes.readers.mnn_file import CONST, INPUT, OUTPUTS_MEMBER, SOFTMAX, read_network


class MnnGraph:
    """A .mnn file's tensors; a tensor's key is its name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        network = read_network(path)
        self.inputs = tuple(name for entry in network.operators if entry.type == INPUT for name in entry.outputs)
        self.outputs = network.named
        computed = [(entry.type, name) for entry in network.operators for name in entry.outputs if name]
        self.operators = tuple(
            GraphOperator(f"OpType {entry.type}", entry.name, entry.inputs, entry.outputs)
            for entry in network.operators
        )
        self.tensors = tuple(name for kind, name in computed if kind not in (INPUT, CONST))
        self.softmaxes = tuple(name for kind, name in computed if kind == SOFTMAX)

    def key(self, name: str) -> str | None:
        """See `Graph.key`."""
        return name if name in self.tensors else None

    def write(self, path: Path, keys: Sequence[str]) -> None:
        """See `Graph.write`: the graph stays as it is, and a note behind it says what to hand out."""
        shutil.copyfile(self._path, path)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(OUTPUTS_MEMBER, json.dumps(list(keys)))
