"""What is known of a value whatever the image, read off the operator that gives it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import fx

from eamdeploy.networks.layers.mixed_conv import CONVEX, MixingBounds
from eamdeploy.networks.program.operators import REARRANGING
from eamdeploy.training.importing.network.tracing.evaluate import operator_name
from eamdeploy.training.importing.network.tracing.trace import Traced

# largest magnitude of what these give
_LARGEST = {"sigmoid.default": 1.0, "hardsigmoid.default": 1.0, "tanh.default": 1.0, "relu6.default": 6.0}
_SOFTMAX = ("softmax.int", "_softmax.default")


def mixing_bounds(traced: Traced, alphas: Sequence[fx.Node], *, constant: bool) -> MixingBounds:
    """The bounds of mixing weights: convex for one softmax over all kernels, else the most that their magnitudes sum to.

    ``constant`` is for a kernel that is not mixed: its weight is 1.
    """
    found = [_weights(traced, alpha, math.prod(traced.shapes[alpha.name]) // traced.batch) for alpha in alphas]
    if not found:
        return CONVEX
    l1: float | None = float(constant)
    for bounds in found:
        l1 = None if l1 is None or bounds.l1 is None else l1 + bounds.l1
    convex = len(found) == 1 and found[0].convex and not constant
    return MixingBounds(convex, l1, signed=any(bounds.signed for bounds in found))


def _weights(traced: Traced, alpha: fx.Node, kernels: int) -> MixingBounds:
    alpha = _origin(alpha)
    name = operator_name(alpha)
    if name in _SOFTMAX:
        shape = traced.shapes[alpha.name]
        axis = int(alpha.args[1]) % len(shape)  # type: ignore[arg-type]
        groups = kernels / shape[axis]
        return MixingBounds(groups == 1, float(groups), signed=False)
    if name in _LARGEST:
        return MixingBounds(False, _LARGEST[name] * kernels, signed=name == "tanh.default")
    if name == "div.Tensor" and (part := _normalised(traced, alpha)):
        return MixingBounds(False, kernels / part)
    return MixingBounds()


def _origin(node: fx.Node) -> fx.Node:
    """Back through operators that only move elements."""
    while operator_name(node) in REARRANGING and isinstance(node.args[0], fx.Node):
        node = node.args[0]
    return node


def _normalised(traced: Traced, node: fx.Node) -> int:
    """For ``z / (sum |z| + eps)``, over how many values the sum goes; else 0."""
    numerator, denominator = node.args[0], node.args[1]
    if not isinstance(numerator, fx.Node) or not isinstance(denominator, fx.Node):
        return 0
    total = denominator
    if operator_name(total) == "add.Tensor":
        constant = total.args[1]
        if not isinstance(constant, (int, float)) or constant < 0 or not isinstance(total.args[0], fx.Node):
            return 0
        total = total.args[0]
    if operator_name(total) != "sum.dim_IntList":
        return 0
    magnitude, axes = total.args[0], total.args[1]
    if not isinstance(magnitude, fx.Node) or operator_name(magnitude) != "abs.default":
        return 0
    shape = traced.shapes[numerator.name]
    if magnitude.args[0] is not numerator or not isinstance(axes, (list, tuple)) or len(axes) != 1:
        return 0
    return shape[int(axes[0]) % len(shape)]  # type: ignore[arg-type]


def gate_bound(gate: fx.Node) -> float | None:
    """The largest magnitude of a gate, or ``None`` where nothing bounds it."""
    gate = _origin(gate)
    return 1.0 if operator_name(gate) in _SOFTMAX else _LARGEST.get(operator_name(gate))
