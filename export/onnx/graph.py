"""An ONNX graph with the questions a rewrite asks: who makes a tensor, who reads it, what is constant."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from export.onnx.order import put_nodes


class OnnxGraph:
    """A view of ``model`` for reading, and a place to collect new initializers.

    Attributes:
        model: the ``ModelProto``; its nodes are replaced by :meth:`finish`.
        constants: initializers by name.
        producer: the node that makes a tensor.
        readers: the nodes that read a tensor.
        mixing: of layers whose mixing weights do not sum to 1, what bounds them, as the file's metadata has it.
    """

    def __init__(self, model: Any) -> None:
        self.model, self.graph = model, model.graph
        self.constants = {tensor.name: tensor for tensor in self.graph.initializer}
        self.producer = {name: node for node in self.graph.node for name in node.output if name}
        self.readers: dict[str, list[Any]] = {}
        for node in self.graph.node:
            for name in dict.fromkeys(node.input):
                self.readers.setdefault(name, []).append(node)
        self.outputs = {value.name for value in self.graph.output}
        self.inputs = [value.name for value in self.graph.input if value.name not in self.constants]
        self.mixing = _mixing(model)
        self._arrays: dict[str, npt.NDArray[Any]] = {}
        self._shapes: dict[str, tuple[int, ...]] | None = None
        self._used = {*self.constants, *self.producer, *self.inputs}

    def array(self, name: str) -> npt.NDArray[Any]:
        """The value of a constant."""
        if name not in self._arrays:
            from onnx import numpy_helper

            self._arrays[name] = numpy_helper.to_array(self.constants[name])
        return self._arrays[name]

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The inferred shape of a tensor, 0 where a size is open; ``None`` where nothing is known of it."""
        if self._shapes is None:
            import onnx

            inferred = onnx.shape_inference.infer_shapes(self.model).graph
            self._shapes = {
                value.name: tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
                for value in (*inferred.value_info, *inferred.input, *inferred.output)
                if value.type.tensor_type.HasField("shape")
            }
        return self._shapes.get(name)

    def is_weight(self, name: str) -> bool:
        """Whether it is a constant float32 tensor."""
        return name in self.constants and self.constants[name].data_type == 1

    def sole_reader(self, name: str) -> Any | None:
        """The only node that reads ``name``, if there is exactly one and it is no output of the graph."""
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self.outputs else None

    def add_constant(self, name: str, value: npt.NDArray[Any]) -> str:
        """Add an initializer, or find the one of that name that was added before; returns its name."""
        if name not in self.constants:
            from onnx import numpy_helper

            # not ascontiguousarray, which makes a list of one of a scalar: some of onnxruntime's kernels want a scalar
            tensor = numpy_helper.from_array(np.asarray(value, order="C"), name)
            self.constants[name] = tensor
            self._used.add(name)
        return name

    def finish(self, nodes: list[Any]) -> None:
        """Put those of ``nodes`` into the model that its outputs need, sorted, with the initializers that they read."""
        put_nodes(self.model, nodes, tuple(self.constants.values()))
        del self.graph.value_info[:]


def foreign(model: Any) -> bool:
    """Whether the model was made elsewhere; what a user attached to it does not change that."""
    document = _document(model)
    return not document or bool(document.get("attached"))


def _document(model: Any) -> dict[str, Any]:
    text = next((entry.value for entry in model.metadata_props if entry.key == "eamdeploy"), None)
    document = {} if text is None else json.loads(text)
    return document if isinstance(document, dict) else {}


def _mixing(model: Any) -> dict[str, Any]:
    mixing = _document(model).get("mixing", {})
    return mixing if isinstance(mixing, dict) else {}


def attribute(node: Any, name: str, default: Any = None) -> Any:
    """A node's attribute as a Python value."""
    from onnx import helper

    return next((helper.get_attribute_value(entry) for entry in node.attribute if entry.name == name), default)


def layer_of(node: Any) -> str:
    """The module path a node is named after; a foreign node's own name."""
    path, _, kind = node.name.rpartition("/")
    return (
        path
        if path and kind.split("_")[0] == node.op_type
        else node.name or (node.output[0] if node.output else node.op_type)
    )
