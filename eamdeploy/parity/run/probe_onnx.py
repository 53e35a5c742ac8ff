"""The inner tensors of an .onnx file, by the names in its graph."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

from eamdeploy.base.errors import MissingDependency, UsageError
from eamdeploy.parity.run.probe import GraphOperator


class ProbedOnnxGraph:
    """An .onnx file's tensors; a tensor's key is its name."""

    def __init__(self, path: Path) -> None:
        try:
            import onnx

            messages = importlib.import_module("google.protobuf.message")
        except ImportError as error:
            raise MissingDependency.extra("onnx", extra="export") from error
        try:
            self._model = onnx.load(str(path))
        except (messages.DecodeError, OSError) as error:
            raise UsageError("cannot read the artifact's graph", where=path, why=error) from error
        graph = self._model.graph
        constants = {tensor.name for tensor in graph.initializer}
        self.inputs = tuple(entry.name for entry in graph.input if entry.name not in constants)
        self.outputs = tuple(output.name for output in graph.output)
        computed = [(node.op_type, name) for node in graph.node for name in node.output if name]
        self.operators = tuple(
            GraphOperator(node.op_type, node.name, tuple(filter(None, node.input)), tuple(filter(None, node.output)))
            for node in graph.node
        )
        self.tensors = tuple(name for kind, name in computed if kind not in ("Constant", "Shape"))
        self.softmaxes = tuple(name for kind, name in computed if kind == "Softmax")

    def key(self, name: str) -> str | None:
        """See `Graph.key`."""
        return name if name in self.tensors else None

    def write(self, path: Path, keys: Sequence[str]) -> None:
        """See `Graph.write`. The type of an added output is left to the runtime's own inference."""
        import onnx

        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        for key in keys:
            # a tensor that is an output already is passed on under another name: an output has one name only
            if key in self.outputs:
                alias = f"{key}/again"
                model.graph.node.append(onnx.NodeProto(op_type="Identity", input=[key], output=[alias], name=alias))
                model.graph.output.append(onnx.ValueInfoProto(name=alias))
            else:
                model.graph.output.append(onnx.ValueInfoProto(name=key))
        onnx.save(model, str(path))
