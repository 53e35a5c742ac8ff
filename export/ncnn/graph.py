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
        from onnx import helper, numpy_helper

        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        self.constants: dict[str, Array] = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
        self.shapes: dict[str, tuple[int, ...]] = {
            value.name: tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
            for value in (*graph.input, *graph.value_info, *graph.output)
        }
        self.inputs = tuple(value.name for value in graph.input if value.name not in self.constants)
        self.outputs = tuple(value.name for value in graph.output)
        self.nodes = tuple(
            OnnxNode(
                node.op_type,
                node.name or node.output[0],
                tuple(node.input),
                tuple(node.output),
                {entry.name: helper.get_attribute_value(entry) for entry in node.attribute},
            )
            for node in graph.node
        )
        self._readers: dict[str, list[OnnxNode]] = {}
        for node in self.nodes:
            for name in node.inputs:
                self._readers.setdefault(name, []).append(node)

    def only_reader(self, name: str) -> OnnxNode | None:
        """The one node that reads ``name``, where there is just one and it is no output."""
        readers = self._readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self.outputs else None

    def constant(self, name: str) -> Array:
        """A constant as float32, or as it is where it holds integers.

        Raises:
            KeyError: the tensor is computed.
        """
        value = self.constants[name]
        return value.astype(np.float32) if value.dtype.kind == "f" else value
