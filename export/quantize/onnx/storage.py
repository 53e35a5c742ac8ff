"""Weights that are computed with in float but stored small: int8 or float16 in the file, widened once when it is loaded.

The widening is written as ``Cast`` (and ``Mul``), which runtimes fold into a constant at load; a DequantizeLinear is kept back for
fusion and would run on every image.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from export.onnx.graph import OnnxGraph, attribute, layer_of
from export.quantize.scales import channel_scales, quantize_symmetric

AT_LEAST = 256  # elements: below, the two extra nodes weigh more than is saved
_AXES = {"Conv": 0, "ConvTranspose": 1}


def store_int8(graph: OnnxGraph, nodes: list[Any], float_layers: Collection[str] = ()) -> list[str]:
    """Store the float weights that ``nodes`` read as int8 with a scale per output channel; returns their layers.

    A bank gets a scale per kernel and output channel where its reshape tells the channels, else per kernel.
    """
    layers = []
    for node in list(nodes):
        layer = layer_of(node)
        if _owner(layer) in float_layers or node.op_type not in {"Conv", "Gemm", "MatMul", "ConvTranspose"}:
            continue
        name = node.input[1]
        if not graph.is_weight(name) or graph.array(name).size < AT_LEAST or graph.array(name).ndim < 2:
            continue
        weight = graph.array(name)
        view, axis = weight, _AXES.get(node.op_type, weight.ndim - 1)
        if node.op_type == "Gemm" and attribute(node, "transB", 0):
            axis = 0
        if node.op_type == "MatMul" and layer.endswith(".bank"):
            view, axis = _bank_view(graph, node, weight), -1
        elif node.op_type == "MatMul" and weight.shape[-1] > 4096:
            axis = 0
        if axis >= 0:
            scales = channel_scales(view, axis)
            factor = scales.reshape([-1 if index == axis else 1 for index in range(view.ndim)])
        else:
            factor = np.maximum(np.abs(view).max(axis=2, keepdims=True) / 127, 1e-12).astype(np.float32)
        stored = quantize_symmetric(view, factor)
        if not any(entry.output and entry.output[0] == f"{name}/wide" for entry in nodes):
            _widen(graph, nodes, name, stored=stored, factor=factor, shape=weight.shape)
        node.input[1] = f"{name}/wide"
        layers.append(layer)
    return layers


def store_float16(graph: OnnxGraph, nodes: list[Any], only: Collection[str] | None = None) -> list[str]:
    """Store float weights as float16: those of the layers ``only``, or all; returns the initializers that were changed.

    One whose values a float16 cannot hold (over 65504) stays as it is.
    """
    from onnx import helper

    changed: list[str] = []
    for node in list(nodes):
        if only is not None and _owner(layer_of(node)) not in only:
            continue
        for index, name in enumerate(node.input):
            if not graph.is_weight(name) or graph.array(name).size < AT_LEAST:
                continue
            values = graph.array(name)
            if np.abs(values).max() > np.finfo(np.float16).max:
                continue
            if name not in changed:
                graph.add_constant(f"{name}/f16", values.astype(np.float16))
                nodes.append(helper.make_node("Cast", [f"{name}/f16"], [f"{name}/wide"], to=1))
                changed.append(name)
            node.input[index] = f"{name}/wide"
    return changed


def _owner(layer: str) -> str:
    """The unit a node belongs to: attention and bank count as their convolution's."""
    for part in (".attention", ".bank"):
        layer = layer.partition(part)[0]
    return layer


def _bank_view(graph: OnnxGraph, node: Any, weight: Any) -> Any:
    reader = graph.sole_reader(str(node.output[0]))
    channels = 1
    if reader is not None and reader.op_type == "Reshape" and reader.input[1] in graph.constants:
        shape = [int(size) for size in graph.array(reader.input[1])]
        channels = shape[0] if len(shape) == 4 and shape[0] > 0 and weight.shape[1] % shape[0] == 0 else 1
    return weight.reshape(weight.shape[0], channels, -1)


def _widen(graph: OnnxGraph, nodes: list[Any], name: str, *, stored: Any, factor: Any, shape: Any) -> None:
    from onnx import helper

    graph.add_constant(f"{name}/q", stored)
    graph.add_constant(f"{name}/s", factor)
    nodes.append(helper.make_node("Cast", [f"{name}/q"], [f"{name}/cast"], to=1))
    last = f"{name}/wide" if stored.shape == shape else f"{name}/scaled"
    nodes.append(helper.make_node("Mul", [f"{name}/cast", f"{name}/s"], [last]))
    if last != f"{name}/wide":
        size = graph.add_constant(f"{name}/shape", np.array(shape, np.int64))
        nodes.append(helper.make_node("Reshape", [last, size], [f"{name}/wide"]))
