"""Pooling and reductions."""

from __future__ import annotations

from eamdeploy.base.errors import UsageError
from export.ncnn.conversion import Conversion, integers
from export.ncnn.graph import OnnxNode
from export.ncnn.values import NcnnValue

_MAXIMUM, _AVERAGE = 0, 1
_WHOLE_MAP, _PAD_MODE, _COUNT_PADDING = 4, 5, 6
_EXPLICIT = 1
_SUM, _MEAN, _MAX = 0, 3, 4


def window(conversion: Conversion, node: OnnxNode) -> None:
    """The average or maximum of a window."""
    height, width = node.attributes["kernel_shape"]
    strides = node.attributes.get("strides", (1, 1))
    top, left, bottom, right = node.attributes.get("pads", (0, 0, 0, 0))
    kind = _MAXIMUM if node.kind == "MaxPool" else _AVERAGE
    if node.attributes.get("ceil_mode") or any(step != 1 for step in node.attributes.get("dilations", (1,))):
        raise UsageError("this form of pooling is not converted", where=node.name)
    conversion.layer(
        "Pooling",
        node,
        (conversion.natural(node.inputs[0]),),
        {
            0: kind, 1: width, 11: height, 2: strides[1], 12: strides[0], 3: left, 13: top, 14: right, 15: bottom,
            _PAD_MODE: _EXPLICIT, _COUNT_PADDING: int(node.attributes.get("count_include_pad", 0)),
        },
    )  # fmt: skip


def whole_map(conversion: Conversion, node: OnnxNode) -> None:
    """The mean of every channel."""
    value = conversion.value(node.inputs[0])
    _pool_whole_map(conversion, node, value, _AVERAGE)


def reduce_mean(conversion: Conversion, node: OnnxNode) -> None:
    """A mean over some axes."""
    value = conversion.value(node.inputs[0])
    if len(value.natural) == 3 and _axes(conversion, node, value) == [1, 2]:
        _pool_whole_map(conversion, node, value, _AVERAGE)
    else:
        _reduce(conversion, node, _MEAN)


def reduce_max(conversion: Conversion, node: OnnxNode) -> None:
    """A maximum over some axes."""
    _reduce(conversion, node, _MAX)


def reduce_sum(conversion: Conversion, node: OnnxNode) -> None:
    """A sum over some axes."""
    _reduce(conversion, node, _SUM)


def _pool_whole_map(conversion: Conversion, node: OnnxNode, value: NcnnValue, kind: int) -> None:
    parameters = {0: kind, _WHOLE_MAP: 1}
    # ncnn gives a vector, whatever dimensions ONNX keeps
    conversion.layer("Pooling", node, (conversion.natural(node.inputs[0]),), dict(parameters), dims=value.natural[:1])


def _reduce(conversion: Conversion, node: OnnxNode, operation: int) -> None:
    value = conversion.value(node.inputs[0])
    axes = _axes(conversion, node, value)
    keeps_dims = int(node.attributes.get("keepdims", 1))
    # 5=1: axes are counted as documented, not as in ncnn's first releases
    conversion.layer(
        "Reduction",
        node,
        (conversion.natural(node.inputs[0]),),
        {0: operation, 1: 0, 3: tuple(axes), 4: keeps_dims, 5: 1},
    )


def _axes(conversion: Conversion, node: OnnxNode, value: NcnnValue) -> list[int]:
    named = node.attributes.get("axes")
    if named is None and len(node.inputs) > 1 and node.inputs[1]:
        named = integers(conversion.source.constant(node.inputs[1]))
    axes = sorted(value.axis(int(axis)) for axis in (named if named is not None else range(len(value.shape))))
    if axes[0] < 0:
        raise UsageError("a reduction over the batch is not converted", where=node.name)
    return axes
