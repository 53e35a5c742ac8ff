"""What is known of mixing weights and gates whatever the image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, fx

from eamdeploy.networks.layers.mixed_conv import CONVEX, MixingBounds
from eamdeploy.training.importing.network.kernels.kernel_form import Mixing
from eamdeploy.training.importing.network.kernels.magnitudes import (
    is_not_negative,
    is_softmax,
    largest_magnitude,
    origin,
    softmax_axis,
)
from eamdeploy.training.importing.network.kernels.normalisers import normalised
from eamdeploy.training.importing.network.tracing.evaluate import evaluate, operator_name
from eamdeploy.training.importing.network.tracing.trace import Traced


@dataclass(frozen=True)
class _Weights:
    """The weights that one node gives.

    Attributes:
        groups: for each weight of an image, a number that it shares with those that it is bounded together with.
        sum: what the magnitudes of a group sum to at most.
        exact: each group's sum is 1, and none is negative.
    """

    groups: Tensor
    sum: float
    exact: bool
    signed: bool


def mixing_bounds(traced: Traced, mixing: Mixing) -> MixingBounds:
    """The bounds of mixing weights: convex for one softmax over all kernels, else the most that their magnitudes sum to.

    Weights that never meet in an element of the kernel (a kernel put together from blocks) are not summed.
    """
    bounds = [_weights(traced, alpha) for alpha in mixing.alphas]
    constant = mixing.constant is not None
    if not bounds:
        return CONVEX
    known_bounds = [weights for weights in bounds if weights is not None]
    signed = len(known_bounds) < len(bounds) or any(weights.signed for weights in known_bounds)
    if len(known_bounds) < len(bounds):
        return MixingBounds(signed=signed)
    convex = (
        len(known_bounds) == 1 and known_bounds[0].exact and len(known_bounds[0].groups.unique()) == 1 and not constant
    )
    met = torch.zeros_like(mixing.bank[0])
    first = 0
    for weights in known_bounds:
        bank = mixing.bank[first : first + len(weights.groups)]
        first += len(weights.groups)
        for group in weights.groups.unique():
            met += weights.sum * (bank[weights.groups == group] != 0).any(dim=0)
    if mixing.constant is not None:
        met += mixing.constant != 0
    return MixingBounds(convex, 1.0 if convex else float(met.max()), signed=signed)


def _weights(traced: Traced, alpha: fx.Node) -> _Weights | None:
    """What bounds the weights that ``alpha`` gives; ``None`` where nothing does, or one can be larger than 1."""
    source = origin(alpha)
    signed = not is_not_negative(source)
    shape = traced.shapes[source.name]
    if operator_name(source) == "scatter.src" and _is_zero(traced, source.args[0]):
        inner = source.args[3]
        inner_bound = _weights(traced, inner) if isinstance(inner, fx.Node) else None
        single = inner_bound is not None and len(inner_bound.groups.unique()) == 1
        return (
            _Weights(_each(traced, alpha) * 0, inner_bound.sum, False, inner_bound.signed)
            if inner_bound and single
            else None
        )
    if is_softmax(source):
        axis = softmax_axis(source) % len(shape)
        labels = torch.arange(_count(shape)).reshape(shape).amin(dim=axis, keepdim=True).expand(shape)
        return _Weights(_moved(traced, source, alpha, labels), 1.0, True, False)
    if operator_name(source) == "div.Tensor" and (quotient := normalised(traced, source)) is not None:
        labels = quotient.labels.reshape(shape)
        return _Weights(_moved(traced, source, alpha, labels), 1.0, quotient.exact, signed)
    largest = largest_magnitude(source)
    return None if largest is None or largest > 1 else _Weights(_each(traced, alpha), largest, False, signed)


def _count(shape: tuple[int, ...]) -> int:
    return int(torch.Size(shape).numel())


def _each(traced: Traced, alpha: fx.Node) -> Tensor:
    """A group for each weight of an image."""
    return torch.arange(_count(traced.shapes[alpha.name]) // traced.batch)


def _moved(traced: Traced, source: fx.Node, alpha: fx.Node, labels: Tensor) -> Tensor:
    """The first image's labels in the order in which ``alpha`` has the weights that ``source`` gives."""
    values = {source.name: labels.double()}
    node = alpha
    while node is not source:  # other inputs on the way give no more than a shape or a format
        for other in node.all_input_nodes:
            if other is not node.args[0]:
                values[other.name] = torch.zeros(traced.shapes[other.name], dtype=torch.float64)
        node = node.args[0]  # type: ignore[assignment]
    order: Tensor = evaluate(traced, alpha, values, {})
    return order.flatten()[: order.numel() // traced.batch].long()


def _is_zero(traced: Traced, value: object) -> bool:
    if not isinstance(value, fx.Node):
        return False
    name = operator_name(value).partition(".")[0]
    if name in ("zeros", "zeros_like", "new_zeros"):
        return True
    try:
        return not bool(evaluate(traced, value, {}, {}).any())
    except LookupError:
        return False


def gate_bound(gate: fx.Node) -> float | None:
    """The largest magnitude of a gate, or ``None`` where nothing bounds it."""
    return largest_magnitude(gate)
