"""The inner tensors of a .tflite file, by their index: names in a flatbuffer need not be unique."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eamdeploy.base.errors import MissingDependency, UsageError
from eamdeploy.parity.run.probe import GraphOperator
from runtimes.readers.metadata import TFLITE_MEMBER

_IDENTIFIER = b"TFL3"


def read_model(path: Path) -> Any:
    """A .tflite file as the schema's objects (``ModelT``).

    Raises:
        MissingDependency: without ai-edge-litert, which brings the schema.
        UsageError: when the file is none.
    """
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ImportError as error:
        raise MissingDependency.extra("ai-edge-litert", extra="litert") from error
    content = path.read_bytes()
    if content[4:8] != _IDENTIFIER:
        raise UsageError("cannot read the artifact's graph", where=path, why="it is no .tflite file")
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))


def write_model(model: Any, path: Path, document: bytes | None = None) -> None:
    """Write ``model`` as a .tflite file, with the metadata ``document`` appended where there is one."""
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    path.write_bytes(builder.Output())
    if document is not None:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(TFLITE_MEMBER, document)


class TfliteGraph:
    """A .tflite file's tensors; a tensor's key is its index as text."""

    def __init__(self, path: Path) -> None:
        self._model = read_model(path)
        self._document = _document(path)
        from ai_edge_litert import schema_py_generated as schema

        graph = self._model.subgraphs[0]
        self.inputs = tuple(str(index) for index in graph.inputs)
        self.outputs = tuple(_name(graph.tensors[index]) for index in graph.outputs)
        codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in self._model.operatorCodes]
        computed = [(codes[op.opcodeIndex], int(index)) for op in graph.operators for index in op.outputs if index >= 0]
        names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
        self.operators = tuple(
            GraphOperator(
                names.get(codes[op.opcodeIndex], "CUSTOM"),
                f"operator {number}",
                tuple(str(index) for index in op.inputs if index >= 0),
                tuple(str(index) for index in op.outputs if index >= 0),
            )
            for number, op in enumerate(graph.operators)
        )
        self.tensors = tuple(str(index) for _, index in computed)
        self.softmaxes = tuple(str(index) for code, index in computed if code == schema.BuiltinOperator.SOFTMAX)
        self._names = {_name(graph.tensors[index]): str(index) for _, index in reversed(computed)}

    def key(self, name: str) -> str | None:
        """See `Graph.key`."""
        return self._names.get(name)

    def write(self, path: Path, keys: Sequence[str]) -> None:
        """See `Graph.write`."""
        graph = self._model.subgraphs[0]
        before = [int(index) for index in graph.outputs]
        graph.outputs = before + [int(key) for key in keys]
        try:
            write_model(self._model, path, self._document)
        finally:
            graph.outputs = before


def _name(tensor: Any) -> str:
    return tensor.name.decode("utf-8", "replace") if isinstance(tensor.name, bytes) else str(tensor.name)


def _document(path: Path) -> bytes | None:
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        return archive.read(TFLITE_MEMBER) if TFLITE_MEMBER in archive.namelist() else None
