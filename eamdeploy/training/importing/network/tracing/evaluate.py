"""Compute parts of a traced graph: constants, and kernels from values that are put in."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx

if TYPE_CHECKING:
    from eamdeploy.training.importing.network.tracing.trace import Traced


def operator_name(node: fx.Node) -> str:
    """``silu.default`` for ``aten.silu_.default``; ``getitem``; empty for anything outside of ATen."""
    if node.target is operator.getitem:
        return "getitem"
    name = str(node.target)
    if not name.startswith("aten."):
        return ""
    operation, _, overload = name.removeprefix("aten.").partition(".")
    if operation.endswith("_") and not operation.startswith("__"):
        operation = operation[:-1]
    return f"{_SAME.get(operation, operation)}.{overload}"


# the same operators under the names that a program uses
_SAME = {"view": "reshape", "_unsafe_view": "reshape", "_to_copy": "_to_copy"}


def changes_in_place(node: fx.Node) -> bool:
    """Whether the operator writes into its first argument."""
    operation = str(node.target).removeprefix("aten.").partition(".")[0]
    return operation.endswith("_") and not operation.startswith("__")


def evaluate(traced: Traced, node: fx.Node, values: Mapping[str, Tensor], memory: dict[str, Any]) -> Any:
    """The value of ``node`` where the nodes in ``values`` have those values; ``memory`` keeps what was computed.

    Raises:
        LookupError: when it depends on the images otherwise.
    """
    stack = [node]
    while stack:
        current = stack[-1]
        if current.name in values or current.name in memory:
            stack.pop()
            continue
        if current.name in traced.tensors:
            tensor = traced.tensors[current.name]
            memory[current.name] = tensor.double() if tensor.is_floating_point() else tensor
            stack.pop()
            continue
        if current.op != "call_function":
            raise LookupError(current.name)
        missing = [
            source for source in current.all_input_nodes if source.name not in values and source.name not in memory
        ]
        if missing:
            stack.extend(missing)
            continue
        memory[current.name] = _apply(current, values, memory)
        stack.pop()
    return values[node.name] if node.name in values else memory[node.name]


def _apply(node: fx.Node, values: Mapping[str, Tensor], memory: Mapping[str, Any]) -> Any:
    def fetch(inner: fx.Node) -> Any:
        return values[inner.name] if inner.name in values else memory[inner.name]

    args = fx.node.map_arg(node.args, fetch)
    kwargs = fx.node.map_arg(node.kwargs, fetch)
    if node.target is operator.getitem:
        return operator.getitem(*args)
    operation, _, overload = operator_name(node).partition(".")
    # constants that the code makes in single precision would spoil a comparison in double
    args = tuple(torch.float64 if argument is torch.float32 else argument for argument in args)
    kwargs = {key: torch.float64 if value is torch.float32 else value for key, value in kwargs.items()}
    return getattr(getattr(torch.ops.aten, operation), overload)(*args, **kwargs)
