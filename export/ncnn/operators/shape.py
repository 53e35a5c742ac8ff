"""Operators that only arrange: other dimensions, other order, borders."""

from __future__ import annotations

from eamdeploy.base.errors import UsageError
from export.ncnn.conversion import Conversion, integers
from export.ncnn.graph import OnnxNode
from export.ncnn.operators.linear import MAP_DIMENSIONS
from export.ncnn.values import NcnnValue, sizes, without_batch

# ncnn's order types of Permute by the order of the blob's axes, outermost first
_PERMUTE = {
    (1, 0): 1, (0, 2, 1): 1, (1, 0, 2): 2, (1, 2, 0): 3, (2, 0, 1): 4, (2, 1, 0): 5,
}  # fmt: skip


def reshape(conversion: Conversion, node: OnnxNode) -> None:
    """Other dimensions: nothing at all where only the batch is added or dropped."""
    value = conversion.value(node.inputs[0])
    target_shape = without_batch(conversion.source.shapes[node.outputs[0]])
    if len(value.dims) == 3 and len(target_shape) == 2 and value.dims[0] == target_shape[0]:
        # a map whose rows are put behind each other stays a map of one row: no copy
        target_shape = (target_shape[0], 1, target_shape[1])
    if (
        len(target_shape) == 1
        and len(value.dims) == MAP_DIMENSIONS
        and _read_by_linear_layer(conversion, node.outputs[0])
    ):
        target_shape = value.dims
    if value.dims == target_shape:
        conversion.define(node.outputs[0], value.blob, target_shape)
    else:
        conversion.layer("Reshape", node, (value.blob,), sizes(target_shape), dims=target_shape)


def _read_by_linear_layer(conversion: Conversion, name: str) -> bool:
    reader = conversion.source.only_reader(name)
    return reader is not None and reader.kind == "Gemm"


def same(conversion: Conversion, node: OnnxNode) -> None:
    """An operator that changes nothing here."""
    if conversion.is_constant(node.inputs[0]):
        conversion.source.constants[node.outputs[0]] = conversion.source.constant(node.inputs[0])
        return
    conversion.define(node.outputs[0], conversion.natural(node.inputs[0]))


def transpose(conversion: Conversion, node: OnnxNode) -> None:
    """Another order of the axes."""
    value = conversion.value(node.inputs[0])
    dropped = len(value.shape) - len(value.natural)
    order = [int(axis) for axis in node.attributes["perm"]]
    if dropped and order[0] != 0:
        raise UsageError("a transpose that moves the batch is not converted", where=node.name)
    axis_order = tuple(axis - dropped for axis in order[dropped:])
    if axis_order == tuple(sorted(axis_order)):
        conversion.define(node.outputs[0], conversion.natural(node.inputs[0]))
    elif axis_order in _PERMUTE:
        conversion.layer("Permute", node, (conversion.natural(node.inputs[0]),), {0: _PERMUTE[axis_order]})
    else:
        raise UsageError(f"a transpose of {len(axis_order)} axes is not converted", where=node.name)


def pad(conversion: Conversion, node: OnnxNode) -> None:
    """A border of zeros around a map."""
    value = conversion.value(node.inputs[0])
    amounts = integers(conversion.source.constant(node.inputs[1]))
    half = len(amounts) // 2
    before, after = without_batch_of(value, amounts[:half]), without_batch_of(value, amounts[half:])
    if node.attributes.get("mode", "constant") != "constant" or len(before) != 3 or before[0] or after[0]:
        raise UsageError("only a constant border of a map is converted", where=node.name)
    fill = 0.0
    if len(node.inputs) > 2 and node.inputs[2]:
        fill = float(conversion.source.constant(node.inputs[2]).ravel()[0])
    parameters = {0: before[1], 1: after[1], 2: before[2], 3: after[2], 4: 0, 5: fill}
    conversion.layer("Padding", node, (conversion.natural(node.inputs[0]),), dict(parameters))


def without_batch_of(value: NcnnValue, amounts: list[int]) -> list[int]:
    """Per-axis amounts of ONNX's tensor as those of the blob."""
    return amounts[len(value.shape) - len(without_batch(value.shape)) :]
