"""Linear layers and matrix products."""

from __future__ import annotations

import numpy as np

from eamdeploy.base.errors import UsageError
from export.ncnn.conversion import Conversion
from export.ncnn.graph import OnnxNode
from export.ncnn.network import Array, NcnnWeights
from export.ncnn.operators.activation import fused_activation
from export.ncnn.operators.average import average_at, pooled
from runtimes.readers.ncnn_file import Parameter

# ids of ncnn's Gemm
_CONSTANT_B, _CONSTANT_C, _CONSTANT_M, _CONSTANT_N, _CONSTANT_K, _BIAS_FORM, _MAP = 5, 6, 7, 8, 9, 10, 11
_NO_BIAS, _BIAS_PER_ROW, _BIAS_PER_COLUMN = -1, 1, 4
# from so many outputs on, a row times a constant matrix is faster as a matrix product than as a linear layer
PRODUCT_FROM_OUTPUTS = 64
MAP_DIMENSIONS = 3


def gemm(conversion: Conversion, node: OnnxNode) -> None:
    """``x W^T + b`` of one row: a linear layer."""
    attributes = node.attributes
    if attributes.get("transA") or attributes.get("alpha", 1.0) != 1.0 or attributes.get("beta", 1.0) != 1.0:
        raise UsageError("this form of ONNX's Gemm is not converted", where=node.name)
    weight = conversion.source.constant(node.inputs[1])
    bias = conversion.source.constant(node.inputs[2]) if len(node.inputs) > 2 else None
    _inner_product(conversion, node, weight if attributes.get("transB") else weight.T, bias)


def matmul(conversion: Conversion, node: OnnxNode) -> None:
    """A matrix product: of a row with a constant (which is how kernels are mixed), of two matrices, or of stacks of them."""
    first, second = node.inputs
    average = average_at(conversion, node)
    if average is not None and len(conversion.value(first).natural) == 3:
        pooled(conversion, average, [conversion.natural(first)])
        return
    if not conversion.is_constant(first) and conversion.is_constant(second):
        matrix = conversion.source.constant(second)
        if len(conversion.value(first).natural) == 1 and matrix.ndim == 2:
            if matrix.shape[1] < PRODUCT_FROM_OUTPUTS:
                _inner_product(conversion, node, matrix.T, None)
            else:
                _mixture(conversion, node, matrix)
            return
    if not conversion.is_constant(first) and not conversion.is_constant(second):
        left, right = conversion.value(first), conversion.value(second)
        if len(left.natural) == 2 == len(right.natural):
            _product(conversion, node)
            return
    blobs = [
        conversion.constant_blob(name) if conversion.is_constant(name) else conversion.natural(name)
        for name in node.inputs
    ]
    conversion.layer("MatMul", node, blobs)


def _inner_product(conversion: Conversion, node: OnnxNode, weight: Array, bias: Array | None) -> None:
    activation, output = fused_activation(conversion, node.outputs[0])
    parameters: dict[int, Parameter] = {0: weight.shape[0], 1: int(bias is not None), 2: weight.size}
    weights = [NcnnWeights(np.ascontiguousarray(weight), tagged=True)]
    if bias is not None:
        weights.append(NcnnWeights(bias))
    value = conversion.value(node.inputs[0])
    # ncnn's linear layer takes a map as it is, in fewer instructions than a layer that flattens it first
    blob = value.blob if len(value.dims) == MAP_DIMENSIONS else conversion.natural(node.inputs[0])
    conversion.layer("InnerProduct", node, (blob,), parameters | activation, weights, output=output)


def _mixture(conversion: Conversion, node: OnnxNode, matrix: Array) -> None:
    """A row times a constant matrix: ncnn's Gemm packs the matrix once, when it loads."""
    depth, width = matrix.shape
    row = conversion.in_dims(conversion.value(node.inputs[0]), (1, depth))
    weights = [NcnnWeights(np.ascontiguousarray(matrix), tagged=True)]
    output, form = node.outputs[0], _NO_BIAS
    addend = _added_constant(conversion, output, width)
    if addend is not None:
        added, output = addend
        weights.append(NcnnWeights(added, tagged=True))
        form = _BIAS_PER_COLUMN
    parameters: dict[int, Parameter] = {
        _CONSTANT_B: 1, _CONSTANT_C: 1, _CONSTANT_M: 0, _CONSTANT_N: width, _CONSTANT_K: depth, _BIAS_FORM: form,
    }  # fmt: skip
    conversion.layer("Gemm", node, (row,), parameters, weights, output=output, dims=(1, width))


def _product(conversion: Conversion, node: OnnxNode) -> None:
    """A computed matrix times a computed matrix; the second may be a map of one row, and the result then is one."""
    left, right = (conversion.value(name) for name in node.inputs)
    rows, columns = left.natural[0], right.natural[1]
    as_map = len(right.dims) == 3
    blobs = [conversion.in_dims(left, left.natural), right.blob if as_map else conversion.natural(node.inputs[1])]
    output, weights, form = node.outputs[0], [], _NO_BIAS
    addend = _added_constant(conversion, output, rows)
    if addend is not None:
        added, output = addend
        weights.append(NcnnWeights(added, tagged=True))
        form = _BIAS_PER_ROW
    parameters: dict[int, Parameter] = {_CONSTANT_C: 1, _BIAS_FORM: form, _MAP: int(as_map)}
    parameters |= {_CONSTANT_M: rows if addend else 0, _CONSTANT_N: 0, _CONSTANT_K: 0}
    dims = (rows, 1, columns) if as_map else (rows, columns)
    conversion.layer("Gemm", node, blobs, parameters, weights, output=output, dims=dims)


def _added_constant(conversion: Conversion, output: str, length: int) -> tuple[Array, str] | None:
    """A constant of ``length`` elements that is added to ``output`` by the one node that reads it, and what that gives.

    The caller knows which axis those elements belong to, and that no other axis has as many.
    """
    node = conversion.source.only_reader(output)
    if node is None or node.kind != "Add":
        return None
    constants = [name for name in node.inputs if conversion.is_constant(name)]
    if len(constants) != 1:
        return None
    shape = conversion.source.constants[constants[0]].shape
    wide = [size for size in shape if size != 1]
    if wide != [length] or conversion.source.shapes[node.outputs[0]] != conversion.source.shapes[output]:
        return None
    conversion.fuse(node)
    return conversion.source.constant(constants[0]).ravel(), node.outputs[0]
