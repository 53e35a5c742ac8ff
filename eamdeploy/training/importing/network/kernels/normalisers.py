"""Mixing weights that were divided by what they sum to, in the spellings that people use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from eamdeploy.networks.program.operators import REARRANGING
from eamdeploy.training.importing.network.kernels.magnitudes import is_not_negative
from eamdeploy.training.importing.network.tracing.evaluate import evaluate, operator_name
from eamdeploy.training.importing.network.tracing.trace import Traced

_NORMS = ("norm.ScalarOpt_dim", "linalg_vector_norm.default")
_TRIALS = 4


@dataclass(frozen=True)
class Normalised:
    """``z / (sum |z| + eps)``.

    Attributes:
        labels: for each element of the quotient, the group that sums to 1 at most in magnitude.
        exact: nothing is added to the sum and no value is negative, so that each group sums to 1.
    """

    labels: Tensor
    exact: bool


def normalised(traced: Traced, node: fx.Node) -> Normalised | None:
    """The form of ``node``, a division, or ``None`` where it is not one of these."""
    numerator, denominator = node.args[0], node.args[1]
    if not isinstance(numerator, fx.Node) or not isinstance(denominator, fx.Node):
        return None
    total, exact = _without_guard(denominator)
    summed, axes = _summed(total)
    if summed is None or len(axes) != 1:
        return None
    inner, magnitudes = summed, is_not_negative(numerator)
    if operator_name(summed) == "abs.default" and isinstance(summed.args[0], fx.Node):
        inner, magnitudes = summed.args[0], True
    elif operator_name(total) in _NORMS:
        magnitudes = True
    if not magnitudes or not _same(inner, numerator):
        return None
    shape = traced.shapes[numerator.name]
    axis = axes[0] % len(shape)
    rows = torch.arange(_count(shape, axis)).reshape([1 if at == axis else size for at, size in enumerate(shape)])
    labels = rows.expand(shape).reshape(-1)
    if not _sums_to_one(traced, node, (numerator, inner), labels):
        return None
    return Normalised(labels, exact and is_not_negative(numerator))


def _same(first: Any, second: Any) -> bool:
    """Whether two nodes give the same value: one node, or the same operator on the same values."""
    if not isinstance(first, fx.Node) or not isinstance(second, fx.Node):
        return bool(first == second)
    if first is second:
        return True
    alike = first.op == second.op == "call_function" and first.target == second.target
    plain = alike and first.kwargs == second.kwargs and len(first.args) == len(second.args)
    return plain and all(_same(left_part, other) for left_part, other in zip(first.args, second.args, strict=True))


def _count(shape: tuple[int, ...], axis: int) -> int:
    count = 1
    for at, size in enumerate(shape):
        count *= 1 if at == axis else size
    return count


def _without_guard(node: fx.Node) -> tuple[fx.Node, bool]:
    """The sum itself, and whether nothing keeps it from zero."""
    exact = True
    while True:
        name = operator_name(node)
        before = node.args[0] if node.args else None
        if not isinstance(before, fx.Node):
            return node, exact
        if name in REARRANGING:
            node = before
        elif name in ("add.Tensor", "add.Scalar", "clamp_min.default", "clamp.default"):
            guard = node.args[1] if len(node.args) > 1 else node.kwargs.get("min")
            highest = node.args[2] if len(node.args) > 2 else node.kwargs.get("max")
            if not isinstance(guard, (int, float)) or guard < 0 or highest is not None:
                return node, exact
            node, exact = before, False
        else:
            return node, exact


def _summed(node: fx.Node) -> tuple[fx.Node | None, list[int]]:
    """What is summed over which axes; of a norm, of order 1."""
    name = operator_name(node)
    arguments: Mapping[int, Any] = dict(enumerate(node.args))
    if name == "sum.dim_IntList":
        axes = arguments.get(1)
    elif name in _NORMS and arguments.get(1, 2) == 1:
        axes = arguments.get(2)
    else:
        return None, []
    first_argument = arguments.get(0)
    return (first_argument if isinstance(first_argument, fx.Node) else None), list(axes) if isinstance(
        axes, (list, tuple)
    ) else []


def _sums_to_one(traced: Traced, quotient: fx.Node, inputs: tuple[fx.Node, fx.Node], labels: Tensor) -> bool:
    """Whether the groups do sum to 1: axes that were moved in between could pair a value with another group's sum."""
    generator = torch.Generator().manual_seed(2)
    shape = traced.shapes[inputs[0].name]
    for _ in range(_TRIALS):
        values = torch.exp(3 * torch.randn(shape, generator=generator, dtype=torch.float64)) + 1
        try:
            row_sums = evaluate(traced, quotient, {node.name: values for node in inputs}, {})
        except LookupError:
            return False
        if row_sums.numel() != len(labels):
            return False
        sums = torch.zeros(int(labels.max()) + 1, dtype=torch.float64).index_add(0, labels, row_sums.abs().flatten())
        if bool((sums > 1 + 1e-9).any()):
            return False
    return True
