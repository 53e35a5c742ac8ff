"""Activations: as layers, or as part of the convolution or linear layer before them."""

from __future__ import annotations

import numpy as np

from export.ncnn.conversion import Conversion
from export.ncnn.graph import OnnxNode
from runtimes.readers.ncnn_file import Parameter

_TYPE, _SETTINGS = 9, 10  # ids of a fused activation
_RELU, _CLIP, _HARD_SWISH = 1, 3, 6
_LARGEST = float(np.finfo(np.float32).max)
# x * clip(x / 6 + 1 / 2, 0, 1)
_HARD_SWISH_SLOPE, _HARD_SWISH_OFFSET = 1 / 6, 0.5


def fused_activation(conversion: Conversion, output: str) -> tuple[dict[int, Parameter], str]:
    """The activation that alone reads ``output``, as parameters of the layer that computes it, and the tensor it gives.

    Without one: no parameters, and ``output`` itself.
    """
    node = conversion.source.only_reader(output)
    if node is None or node.inputs[0] != output:
        return {}, output
    parameters: dict[int, Parameter]
    if node.kind == "Relu":
        parameters = {_TYPE: _RELU}
    elif node.kind == "Clip" and all(conversion.is_constant(name) for name in node.inputs[1:] if name):
        parameters = {_TYPE: _CLIP, _SETTINGS: _limits(conversion, node)}
    elif node.kind == "HardSwish":
        parameters = {_TYPE: _HARD_SWISH, _SETTINGS: (_HARD_SWISH_SLOPE, _HARD_SWISH_OFFSET)}
    else:
        return {}, output
    conversion.fuse(node)
    return parameters, node.outputs[0]


def relu(conversion: Conversion, node: OnnxNode) -> None:
    """``max(x, 0)``."""
    conversion.layer("ReLU", node, (conversion.natural(node.inputs[0]),))


def clip(conversion: Conversion, node: OnnxNode) -> None:
    """``min(max(x, low), high)``."""
    low, high = _limits(conversion, node)
    conversion.layer("Clip", node, (conversion.natural(node.inputs[0]),), {0: low, 1: high})


def hard_swish(conversion: Conversion, node: OnnxNode) -> None:
    """``x * clip(x / 6 + 1 / 2, 0, 1)``."""
    parameters: dict[int, Parameter] = {0: _HARD_SWISH_SLOPE, 1: _HARD_SWISH_OFFSET}
    conversion.layer("HardSwish", node, (conversion.natural(node.inputs[0]),), parameters)


def hard_sigmoid(conversion: Conversion, node: OnnxNode) -> None:
    """``clip(alpha x + beta, 0, 1)``."""
    parameters: dict[int, Parameter] = {
        0: float(node.attributes.get("alpha", 0.2)),
        1: float(node.attributes.get("beta", 0.5)),
    }
    conversion.layer("HardSigmoid", node, (conversion.natural(node.inputs[0]),), parameters)


def sigmoid(conversion: Conversion, node: OnnxNode) -> None:
    """``1 / (1 + exp(-x))``."""
    conversion.layer("Sigmoid", node, (conversion.natural(node.inputs[0]),))


def softmax(conversion: Conversion, node: OnnxNode) -> None:
    """Softmax over one axis; parameter 1 says that the axis is counted as documented, not as in ncnn's first releases."""
    value = conversion.value(node.inputs[0])
    conversion.layer(
        "Softmax", node, (conversion.natural(node.inputs[0]),), {0: value.axis(node.attributes.get("axis", -1)), 1: 1}
    )


def _limits(conversion: Conversion, node: OnnxNode) -> tuple[float, float]:
    bounds = [-_LARGEST, _LARGEST]
    for position, name in enumerate(node.inputs[1:3]):
        if name:
            bounds[position] = float(conversion.source.constant(name).ravel()[0])
    return bounds[0], bounds[1]
