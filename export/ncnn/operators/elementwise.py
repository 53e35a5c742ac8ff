"""Arithmetic of two tensors, or of a tensor and a constant."""

from __future__ import annotations

from export.ncnn.conversion import Conversion, integers
from export.ncnn.graph import OnnxNode
from export.ncnn.values import without_batch
from runtimes.readers.ncnn_file import Parameter

_ADD, _SUBTRACT, _MULTIPLY, _DIVIDE, _SUBTRACT_FROM, _DIVIDE_INTO = 0, 1, 2, 3, 7, 8
_SWAPPED = {_SUBTRACT: _SUBTRACT_FROM, _DIVIDE: _DIVIDE_INTO}


def add(conversion: Conversion, node: OnnxNode) -> None:
    """``a + b``."""
    _binary(conversion, node, _ADD)


def subtract(conversion: Conversion, node: OnnxNode) -> None:
    """``a - b``."""
    _binary(conversion, node, _SUBTRACT)


def multiply(conversion: Conversion, node: OnnxNode) -> None:
    """``a * b``."""
    _binary(conversion, node, _MULTIPLY)


def divide(conversion: Conversion, node: OnnxNode) -> None:
    """``a / b``."""
    _binary(conversion, node, _DIVIDE)


def cumulative_sum(conversion: Conversion, node: OnnxNode) -> None:
    """Running sums along an axis."""
    value = conversion.value(node.inputs[0])
    axis = value.axis(integers(conversion.source.constant(node.inputs[1]))[0])
    conversion.layer("CumulativeSum", node, (conversion.natural(node.inputs[0]),), {0: axis})


def _binary(conversion: Conversion, node: OnnxNode, operation: int) -> None:
    number = _scalar(conversion, node)
    if number is not None:
        position, value = number
        other = conversion.value(node.inputs[1 - position])
        code = operation if position == 1 else _SWAPPED.get(operation, operation)
        parameters: dict[int, Parameter] = {0: code, 1: 1, 2: value}
        conversion.layer("BinaryOp", node, (other.blob,), parameters)
        return
    rank = len(without_batch(conversion.source.shapes[node.outputs[0]]))
    blobs = []
    for name in node.inputs:
        shape = tuple(conversion.source.constants[name].shape) if conversion.is_constant(name) else None
        dims = without_batch(shape) if shape is not None else conversion.value(name).natural
        # ncnn matches axes from the outside where ranks differ; ONNX from the inside
        full = (*(1,) * (rank - len(dims)), *dims)
        if shape is not None:
            blobs.append(conversion.constant_blob(name, full))
        else:
            blobs.append(conversion.in_dims(conversion.value(name), full))
    conversion.layer("BinaryOp", node, blobs, {0: operation})


def _scalar(conversion: Conversion, node: OnnxNode) -> tuple[int, float] | None:
    """Which input is a single constant number, and the number."""
    for position, name in enumerate(node.inputs):
        if conversion.is_constant(name) and conversion.source.constants[name].size == 1:
            return position, float(conversion.source.constant(name).ravel()[0])
    return None
