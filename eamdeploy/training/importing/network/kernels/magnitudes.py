"""How large a value can be whatever the image, and whether it can be negative: read off the operators that give it."""

from __future__ import annotations

import math
from typing import Any

from torch import fx

from eamdeploy.networks.program.operators import REARRANGING
from eamdeploy.training.importing.network.tracing.evaluate import operator_name

SOFTMAX = ("softmax.int", "_softmax.default")
_LOG_SOFTMAX = ("log_softmax.int", "_log_softmax.default")
_CASTS = ("to.dtype", "_to_copy.default", "type_as.default")
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_not")
# largest magnitude of what these give
_LARGEST = {
    "sigmoid.default": 1.0, "hardsigmoid.default": 1.0, "tanh.default": 1.0, "relu6.default": 6.0, "sin.default": 1.0,
    "cos.default": 1.0, "erf.default": 1.0, "sign.default": 1.0,
}  # fmt: skip
_NOT_NEGATIVE = (
    "sigmoid.default", "hardsigmoid.default", "relu.default", "relu6.default", "exp.default", "exp2.default",
    "softplus.default", "abs.default", "square.default", "sqrt.default", "zeros_like.default", "zeros.default",
)  # fmt: skip
# enough for what people write between a bounded function and their kernel
_DEPTH = 12


def origin(node: fx.Node) -> fx.Node:
    """Back through operators that only move elements, or change their format."""
    while operator_name(node) in REARRANGING or operator_name(node) in _CASTS:
        if not node.args or not isinstance(node.args[0], fx.Node):
            break
        node = node.args[0]
    return node


def is_softmax(node: fx.Node) -> bool:
    """Whether it is one, or the exponential of a logarithmic one."""
    name = operator_name(node)
    if name == "exp.default" and isinstance(node.args[0], fx.Node):
        return operator_name(node.args[0]) in _LOG_SOFTMAX
    return name in SOFTMAX


def softmax_axis(node: fx.Node) -> int:
    """The axis of :func:`is_softmax`, as it was given."""
    inner = node.args[0] if operator_name(node) == "exp.default" else node
    return int(inner.args[1])  # type: ignore[union-attr, arg-type]


def largest_magnitude(value: Any, depth: int = _DEPTH) -> float | None:
    """The largest magnitude of an element of a node or a number, or ``None`` where nothing bounds it."""
    if isinstance(value, (int, float)):
        return abs(float(value))
    if not isinstance(value, fx.Node) or depth == 0:
        return None
    node = origin(value)
    name = operator_name(node)
    if is_softmax(node) or name.partition(".")[0] in _COMPARISONS:
        return 1.0
    if name in _LARGEST:
        return _LARGEST[name]
    if name in ("clamp.default", "hardtanh.default"):
        low, high = _ends(node, *((-1, 1) if name == "hardtanh.default" else (None, None)))
        return _larger(largest_magnitude(low), largest_magnitude(high))
    inner = [largest_magnitude(argument, depth - 1) for argument in node.args[:2]]
    if name in ("relu.default", "neg.default", "abs.default"):
        return inner[0]
    if name in ("round.default", "floor.default", "ceil.default"):
        return None if inner[0] is None else float(math.ceil(inner[0]))
    if name in ("scatter.src", "scatter.value", "masked_fill.Scalar"):
        return _larger(largest_magnitude(node.args[-1], depth - 1), inner[0] if name[0] == "m" else 0.0)
    if name == "where.self":
        return _larger(*(largest_magnitude(argument, depth - 1) for argument in node.args[1:3]))
    if name in ("mul.Tensor", "mul.Scalar") and None not in inner:
        return float(inner[0] * inner[1])  # type: ignore[operator]
    if name in ("add.Tensor", "add.Scalar", "sub.Tensor", "sub.Scalar") and None not in inner and not node.kwargs:
        return float(inner[0] + inner[1])  # type: ignore[operator]
    if name in ("div.Tensor", "div.Scalar") and isinstance(node.args[1], (int, float)) and inner[0] is not None:
        return inner[0] / abs(float(node.args[1]))
    return None


def _ends(node: fx.Node, lowest: float | None = None, highest: float | None = None) -> tuple[Any, Any]:
    """What the values are cut off at; by default at ``lowest`` and ``highest``."""
    arguments = dict(enumerate(node.args))
    ends = arguments.get(1, node.kwargs.get("min")), arguments.get(2, node.kwargs.get("max"))
    return lowest if ends[0] is None else ends[0], highest if ends[1] is None else ends[1]


def _larger(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else max(first, second)


def is_not_negative(value: Any, depth: int = _DEPTH) -> bool:
    """Whether no element can be below zero."""
    if isinstance(value, (int, float)):
        return value >= 0
    if not isinstance(value, fx.Node) or depth == 0:
        return False
    node = origin(value)
    name = operator_name(node)
    if is_softmax(node) or name in _NOT_NEGATIVE or name.partition(".")[0] in _COMPARISONS:
        return True
    if name in ("round.default", "floor.default", "ceil.default"):
        return is_not_negative(node.args[0], depth - 1)
    if name in ("clamp.default", "clamp_min.default"):
        low = _ends(node)[0]
        return isinstance(low, (int, float)) and low >= 0
    if name in ("scatter.src", "scatter.value"):
        return is_not_negative(node.args[-1], depth - 1)
    if name == "where.self":
        return all(is_not_negative(argument, depth - 1) for argument in node.args[1:3])
    if name in ("mul.Tensor", "mul.Scalar", "div.Tensor", "div.Scalar", "add.Tensor", "add.Scalar") and not node.kwargs:
        return all(is_not_negative(argument, depth - 1) for argument in node.args[:2])
    if name in ("sum.dim_IntList", "mean.dim", "amax.default", "norm.ScalarOpt_dim", "linalg_vector_norm.default"):
        return name[0] in "nl" or is_not_negative(node.args[0], depth - 1)
    return False
