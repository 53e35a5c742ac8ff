"""The ONNX graph that is converted: nodes, constants, shapes, and who reads what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from export.ncnn.network import Array


@dataclass(frozen=True)
class OnnxNode:
    """A node with its attributes as Python values."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


class OnnxSource:
    """An ONNX model of one image input.

    Attributes:
        nodes: in order of execution.
        constants: initializers by name.
        shapes: of every computed tensor.
        inputs: names of the inputs.
        outputs: names of the outputs.
    """

    def __init__(self, model: Any) -> None:
        import onnx
        import onnx_ir as ir

        graph = ir.from_proto(onnx.shape_inference.infer_shapes(model, data_prop=True)).graph
        self._values = ir.convenience.create_value_mapping(graph)
        self.constants: dict[str, Array] = {
            name: value.const_value.numpy()
            for name, value in graph.initializers.items()
            if value.const_value is not None
        }
        self.shapes: dict[str, tuple[int, ...]] = {
            name: tuple(size if isinstance(size, int) else 0 for size in value.shape)
            for name, value in self._values.items()
            if value.shape is not None and name not in self.constants
        }
        self.inputs = tuple(value.name for value in graph.inputs if value.name and value.name not in self.constants)
        self.outputs = tuple(value.name for value in graph.outputs if value.name)
        self._nodes = {node: _read(node) for node in graph}
        self.nodes = tuple(self._nodes.values())

    def only_reader(self, name: str) -> OnnxNode | None:
        """The one node that reads ``name``, where there is just one and it is no output."""
        readers = [use.node for use in self._values[name].uses()]
        return self._nodes[readers[0]] if len(readers) == 1 and name not in self.outputs else None

    def constant(self, name: str) -> Array:
        """A constant as float32, or as it is where it holds integers.

        Raises:
            KeyError: the tensor is computed.
        """
        value = self.constants[name]
        return value.astype(np.float32) if value.dtype.kind == "f" else value


def _read(node: Any) -> OnnxNode:
    outputs = tuple(value.name or "" for value in node.outputs)
    return OnnxNode(
        node.op_type,
        node.name or outputs[0],
        tuple("" if value is None else value.name for value in node.inputs),
        outputs,
        {name: attribute.value for name, attribute in node.attributes.items()},
    )
