"""Writes a program's instructions while the graph is gone through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from eamdeploy.base.errors import DataError
from eamdeploy.networks.layers.pooling import average_matrix
from eamdeploy.networks.program.instructions import (
    CALL,
    Argument,
    BatchSize,
    Dtype,
    Instruction,
    StoredTensor,
    Value,
)
from eamdeploy.networks.program.network import INPUT
from eamdeploy.networks.program.operators import GETITEM, OPERATORS, REARRANGING
from eamdeploy.training.importing.network.kernels.unfold import unfolds
from eamdeploy.training.importing.network.tracing.evaluate import changes_in_place, evaluate, operator_name
from eamdeploy.training.importing.network.tracing.known_operators import SKIPPED
from eamdeploy.training.importing.network.tracing.naming import Paths
from eamdeploy.training.importing.network.tracing.trace import Traced, module_path, source_line

_DROPPED = ("device", "layout", "pin_memory", "memory_format", "non_blocking", "copy")


class InstructionEmitter:
    """Instructions, layers and tensors of a program in the making.

    Attributes:
        values: by node name, what stands for it now (an operator that changes a tensor in place gives its node a new one).
        origins: nodes that fold a batch into channels, and the unfolded value they are a view of.
    """

    def __init__(self, traced: Traced, other: Traced | None, dependent: set[str]) -> None:
        self.traced, self.other, self.dependent = traced, other, dependent
        self.twins = {} if other is None else dict(zip((n.name for n in traced.nodes), other.nodes, strict=True))
        self.paths = Paths()
        self.instructions: list[Instruction] = []
        self.layers: dict[str, nn.Module] = {}
        self.tensors: dict[str, Tensor] = {}
        self.attentions: dict[str, str] = {}
        self.values: dict[str, Argument] = {traced.input.name: Value(INPUT)}
        self.origins: dict[str, tuple[Value, tuple[int, ...]]] = {}
        self.foreign: dict[str, fx.Node] = {}
        self.alphas: dict[tuple[tuple[str, ...], bool], tuple[Value, str]] = {}
        self.memory: dict[str, Any] = {}
        self._memory_other: dict[str, Any] = {}
        self._maps_of: dict[tuple[str, int], Value] = {}
        self._count = 0

    # -- values ------------------------------------------------------------------------------------------------------

    def value(self, node: fx.Node) -> Argument:
        """What stands for ``node``: a value, or for what does not depend on the images a stored tensor."""
        if node.name in self.values:
            return self.values[node.name]
        if node.name in self.dependent:
            raise LookupError(f"{node.name} is read before it is written")
        tensor = self.constant(node)
        if tensor is None:
            self.operator(node)
            return self.values[node.name]
        name = self.traced.names.get(node.name) or f"constant.{node.name}"
        self.tensors[name] = tensor
        self.values[node.name] = StoredTensor(name)
        return self.values[node.name]

    def constant(self, node: fx.Node) -> Tensor | None:
        """The tensor that ``node`` always gives, or ``None`` where it depends on images or on their number."""
        if node.name in self.dependent:
            return None
        if node.name in self.traced.tensors:
            return _wide(self.traced.tensors[node.name])
        value = evaluate(self.traced, node, {}, self.memory)
        if not isinstance(value, Tensor):
            return None
        if self.other is not None:
            twin = evaluate(self.other, self.twins[node.name], {}, self._memory_other)
            if twin.shape != value.shape or not torch.equal(twin, value):
                return None
        return _wide(value)

    def argument(self, value: Any, twin: Any) -> Argument:
        """An operator's argument; ``twin`` is the one at three images."""
        if isinstance(value, fx.Node):
            return self.value(value)
        if isinstance(value, (list, tuple)):
            twins = twin if isinstance(twin, (list, tuple)) else [twin] * len(value)
            return [self.argument(inner, other) for inner, other in zip(value, twins, strict=True)]
        if isinstance(value, torch.dtype):
            return Dtype(str(value).removeprefix("torch."))
        if isinstance(value, int) and not isinstance(value, bool) and self.other is not None and value != twin:
            step = int(twin) - value
            return BatchSize(step, value - step * self.traced.batch)
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise LookupError(f"an argument of kind {type(value).__name__}")

    # -- instructions ------------------------------------------------------------------------------------------------

    def add(self, base: str, operator: str, args: Sequence[Argument], where: str, **more: Any) -> Value:
        """Append an instruction; its value."""
        used_names = {step.name for step in self.instructions} | {INPUT}
        name = base
        while name in used_names:
            self._count += 1
            name = f"{base}.{self._count}"
        self.instructions.append(Instruction(name, operator, tuple(args), where=where, **more))
        return Value(name)

    def call(self, path: str, layer: nn.Module, args: Sequence[Argument], name: str | None = None) -> Value:
        """Append a call of ``layer``."""
        self.layers[path] = layer
        return self.add(name or path, CALL, args, path, layer=path)

    def operator(self, node: fx.Node) -> None:
        """Append the operator that ``node`` is, as it is."""
        name, where = operator_name(node), module_path(node)
        twin = self.twins.get(node.name, node)
        if name in SKIPPED:
            first = node.args[0]
            if isinstance(first, fx.Node):
                self.values[node.name] = self.value(first)
            return
        if name in REARRANGING and unfolds(self, node):
            return
        args = [self.argument(operand, other) for operand, other in zip(node.args, twin.args, strict=True)]
        kwargs = {
            key: self.argument(operand, twin.kwargs[key]) for key, operand in node.kwargs.items() if key not in _DROPPED
        }
        if name == "adaptive_avg_pool2d.default":
            name, args = self._pooling(node, args)
        if name == "clamp.default" and any(type(bound) is float for bound in args):
            # converters refuse a clamp between a fraction and an integer
            args = [float(bound) if type(bound) is int else bound for bound in args]
        if name == "pow.Tensor_Scalar" and args[1] == 2:
            name, args = "mul.Tensor", [args[0], args[0]]  # converters have no power of five axes
        value = self.add(node.name, name or str(node.target), args, where, kwargs=kwargs)
        if name not in OPERATORS and name != GETITEM:
            self.foreign[value.name] = node
        self.values[node.name] = value
        if changes_in_place(node) and isinstance(node.args[0], fx.Node):
            self.values[node.args[0].name] = value

    def _pooling(self, node: fx.Node, args: list[Argument]) -> tuple[str, list[Argument]]:
        """Adaptive average pooling as a mean, or where cells overlap as two constant matrices: converters have no form of it."""
        sizes, source = self._sizes(args[1]), node.args[0]
        if sizes == [1, 1]:
            return "mean.dim", [args[0], [2, 3], True]
        extent = self.traced.shapes[source.name][2:] if isinstance(source, fx.Node) else ()
        whole = all(isinstance(size, int) and size > 0 for size in sizes) and len(extent) == 2
        if not whole or all(length % size == 0 for length, size in zip(extent, sizes, strict=True)):
            return "adaptive_avg_pool2d.default", args
        rows, columns = (average_matrix(*pair, torch.float64) for pair in zip(extent, sizes, strict=True))
        names = f"{node.name}.rows", f"{node.name}.columns"
        self.tensors.update(zip(names, (rows, columns.T.contiguous()), strict=True))
        across = self.add(names[1], "matmul.default", [args[0], StoredTensor(names[1])], module_path(node))
        return "matmul.default", [StoredTensor(names[0]), across]

    @staticmethod
    def _sizes(argument: Argument) -> list[Any]:
        return list(argument) if isinstance(argument, (list, tuple)) else [argument] * 2

    def as_maps(self, node: fx.Node, value: Argument, missing: int) -> Value:
        """Vectors or rows as maps: so many axes of size 1 are put in behind the channels."""
        if isinstance(value, Value) and (value.name, missing) in self._maps_of:
            return self._maps_of[value.name, missing]
        maps = value
        for _ in range(missing):
            maps = self.add(f"{node.name}.map", "unsqueeze.default", [maps, 2], module_path(node))
        if not isinstance(maps, Value):
            raise TypeError(node.name)
        return maps

    def as_rows(self, node: fx.Node, maps: Value, missing: int) -> Value:
        """The reverse of :meth:`as_maps`."""
        rows = maps
        for _ in range(missing):
            rows = self.add(f"{node.name}.row", "squeeze.dim", [rows, 2], module_path(node))
        self._maps_of[rows.name, missing] = maps
        return rows

    # -- the end -------------------------------------------------------------------------------------------------------------

    def finish(self) -> list[Instruction]:
        """The instructions that the scores need, the last one giving them."""
        output = self.value(self.traced.output)
        if not isinstance(output, Value):
            raise TypeError("the output is a constant")
        needed, instructions = {output.name}, []
        for step in reversed(self.instructions):
            if step.name in needed:
                needed.update(step.values())
                instructions.append(step)
        self.instructions = instructions[::-1]
        for step in self.instructions:
            if step.name in self.foreign:
                node = self.foreign[step.name]
                raise DataError(
                    f"the network uses the operator '{node.target}'",
                    where=source_line(node) or module_path(node) or None,
                    why="it has no form in a file",
                    hint="let the factory build the network without it",
                )
        called = {step.layer for step in self.instructions if step.operator == CALL}
        self.layers = {path: layer for path, layer in self.layers.items() if path in called}
        self.attentions = {path: source for path, source in self.attentions.items() if path in called}
        used = {
            argument.name
            for step in self.instructions
            for argument in _leaves([*step.args, *step.kwargs.values()])
            if isinstance(argument, StoredTensor)
        }
        self.tensors = {name: tensor for name, tensor in self.tensors.items() if name in used}
        return self.instructions


def _wide(tensor: Tensor) -> Tensor:
    """In double precision where it is a fraction: what is computed from weights is rounded only after the proof."""
    return tensor.double() if tensor.is_floating_point() else tensor


def _leaves(arguments: Any) -> list[Any]:
    leaves = []
    for argument in arguments:
        leaves.extend(_leaves(argument) if isinstance(argument, (list, tuple)) else [argument])
    return leaves
