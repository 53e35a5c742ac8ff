"""What every rewrite of an ONNX graph needs: nodes in order, constants with shared names."""

from __future__ import annotations

from typing import Any

import numpy as np

from export.onnx.graph import OnnxGraph
from export.quantize.scales import Affine


class Emitter:
    """Collects the nodes of a new graph.

    Attributes:
        graph: whose constants are added to.
        nodes: what was emitted so far.
    """

    def __init__(self, graph: OnnxGraph) -> None:
        self.graph = graph
        self.nodes: list[Any] = []

    def emit(self, kind: str, inputs: list[str], output: str, like: Any | None = None, **attributes: Any) -> str:
        """Add a node, with the attributes and the name of ``like`` too; returns ``output``."""
        from onnx import helper

        node = helper.make_node(kind, inputs, [output], **attributes)
        if like is not None:
            node.attribute.extend(like.attribute)
            node.name = like.name
        self.nodes.append(node)
        return output

    def encode(self, name: str, code: Affine) -> str:
        """``name`` -> ``name/q``."""
        return self.emit("QuantizeLinear", [name, *self.code_constants(code)], f"{name}/q")

    def decode(self, stored: str, name: str, code: Affine) -> str:
        """``stored`` -> ``name/dq``."""
        return self.emit("DequantizeLinear", [stored, *self.code_constants(code)], f"{name}/dq")

    def code_constants(self, code: Affine) -> list[str]:
        """Scale and zero point of ``code``, as constants."""
        scale = self.graph.add_constant(f"s:{np.float32(code.scale)!r}", np.array(code.scale, np.float32))
        zero = self.graph.add_constant(f"z:{code.dtype}:{code.zero_point}", np.array(code.zero_point, code.dtype))
        return [scale, zero]

    def zeros(self, count: int) -> str:
        """Zero points of int8 weights with a scale per channel."""
        return self.graph.add_constant(f"z:int8:0:{count}", np.zeros(count, np.int8))

    def integers(self, *values: int) -> str:
        """A constant shape or list of indices."""
        return self.graph.add_constant("i:" + ",".join(map(str, values)), np.array(values, np.int64))
