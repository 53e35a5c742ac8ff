"""Batches that are folded into channels, and how a program has them unfolded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import fx

from eamdeploy.networks.program.instructions import Argument, BatchSize, Value
from eamdeploy.networks.program.operators import REARRANGING
from eamdeploy.training.importing.network.kernels.convolutions import Convolution, read_convolution
from eamdeploy.training.importing.network.kernels.rearranging import is_unchanged
from eamdeploy.training.importing.network.tracing.evaluate import operator_name
from eamdeploy.training.importing.network.tracing.trace import module_path

if TYPE_CHECKING:
    from eamdeploy.training.importing.network.emit import InstructionEmitter


def folded_groups(emitter: InstructionEmitter, convolution: Convolution) -> int | None:
    """The groups for one image of a convolution over a folded batch; ``None`` where the batch is not so folded."""
    if emitter.other is None:
        return convolution.groups
    each = _groups_at_three(emitter, convolution) - convolution.groups
    return each if each > 0 and each * emitter.traced.batch == convolution.groups else None


def constant_groups(emitter: InstructionEmitter, convolution: Convolution) -> int | None:
    """The groups of a convolution, or ``None`` where they grow with the batch."""
    if emitter.other is None:
        return convolution.groups
    return convolution.groups if _groups_at_three(emitter, convolution) == convolution.groups else None


def _groups_at_three(emitter: InstructionEmitter, convolution: Convolution) -> int:
    """The groups of the same convolution at three images; 0 where there is none."""
    if emitter.other is None:
        return 0
    twin = emitter.twins[convolution.node.name]
    twin_convolution = read_convolution(twin, operator_name(twin), emitter.other)
    return 0 if twin_convolution is None else twin_convolution.groups


def reshaped(emitter: InstructionEmitter, node: fx.Node, sizes: Sequence[Argument], where: str) -> Value:
    """``node`` as ``sizes``; the value it was folded from where that is the same."""
    batch = emitter.traced.batch
    shape = tuple(size.images * batch + size.plus if isinstance(size, BatchSize) else int(size) for size in sizes)
    current = node
    while True:
        if emitter.traced.shapes.get(current.name) == shape and is_unchanged(emitter.traced, current, node):
            current_value = emitter.value(current)
            if isinstance(current_value, Value):
                return current_value
        before = current.args[0] if current.args else None
        if operator_name(current) not in REARRANGING or not isinstance(before, fx.Node):
            break
        current = before
    return emitter.add(f"{node.name}.as", "reshape.default", [emitter.value(node), list(sizes)], where)


def unfolded_input(emitter: InstructionEmitter, convolution: Convolution, channels: int) -> Value:
    """The maps ``(B, C, H, W)`` that a convolution reads."""
    shape = emitter.traced.shapes[convolution.input.name]
    size = (1, shape[-1]) if convolution.flat else shape[-2:]
    return reshaped(emitter, convolution.input, [BatchSize(1), channels, *size], module_path(convolution.node))


def folded_output(emitter: InstructionEmitter, convolution: Convolution, y: Value, bias: Argument) -> None:
    """Let ``y: (B, O, H', W')`` stand for what the convolution gave, in the shape it gave it in."""
    node, where = convolution.node, module_path(convolution.node)
    if bias is not None:
        y = emitter.add(f"{node.name}.bias", "add.Tensor", [y, bias], where)
    shape = emitter.traced.shapes[node.name]
    batch = emitter.traced.batch
    size = (1, shape[-1]) if convolution.flat else tuple(shape[-2:])
    outputs = math.prod(shape) // batch // math.prod(size)
    twin = emitter.twins.get(node.name)
    after = shape if twin is None or emitter.other is None else emitter.other.shapes[twin.name]
    sizes = [emitter.argument(now, later) for now, later in zip(shape, after, strict=True)]
    emitter.origins[node.name] = (y, (batch, outputs, *size))
    emitter.values[node.name] = emitter.add(node.name, "reshape.default", [y, sizes], where)


def unfolds(emitter: InstructionEmitter, node: fx.Node) -> bool:
    """Whether ``node`` turns a folded output back into what it was: then that stands for it."""
    current: Any = node
    while isinstance(current, fx.Node):
        if current.name in emitter.origins:
            value, shape = emitter.origins[current.name]
            if emitter.traced.shapes.get(node.name) == shape and is_unchanged(emitter.traced, current, node):
                emitter.values[node.name] = value
                return True
            return False
        if operator_name(current) not in REARRANGING or not current.args:
            return False
        current = current.args[0]
    return False
