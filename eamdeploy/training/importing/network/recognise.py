"""From a traced graph to a program: dynamic convolutions become mixed ones, static layers become layers, the rest operators."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import fx, nn

from eamdeploy.base.errors import DataError
from eamdeploy.networks.layers.computed_conv import ComputedConv2d
from eamdeploy.networks.layers.mixed_conv import MixedConv2d, MixingBounds
from eamdeploy.networks.program.instructions import BatchSize, Value
from eamdeploy.training.importing.network.emit import InstructionEmitter
from eamdeploy.training.importing.network.kernels.bounds import gate_bound, mixing_bounds
from eamdeploy.training.importing.network.kernels.convolutions import Convolution, read_convolution
from eamdeploy.training.importing.network.kernels.kernel_form import Mixing, NoMixing
from eamdeploy.training.importing.network.kernels.mixing import gated, mixed_bias, mixing_weights, plain_bias, taps
from eamdeploy.training.importing.network.kernels.multilinear import find_mixing
from eamdeploy.training.importing.network.kernels.static_layers import static_layer
from eamdeploy.training.importing.network.kernels.unfold import (
    folded_groups,
    folded_output,
    reshaped,
    unfolded_input,
)
from eamdeploy.training.importing.network.tracing.evaluate import operator_name
from eamdeploy.training.importing.network.tracing.known_operators import RANDOM
from eamdeploy.training.importing.network.tracing.trace import Traced, module_path, source_line

# without a bound on the weights, more kernels than this are rather a layer that computes the kernel outright
MOST_UNBOUNDED_KERNELS = 8


@dataclass(frozen=True)
class FoundLayer:
    """A dynamic convolution that was found.

    Attributes:
        path: of the layer in the program.
        form: ``mixed``, ``gated`` (one kernel, with gates on channels) or ``computed``.
        where: the line of the user's code.
        shape: of the bank (k, O, C/g, kh, kw); of a computed kernel without k.
        note: what was seen: the attention's normaliser, gates; or why there is no bank.
    """

    path: str
    form: str
    where: str
    shape: tuple[int, ...]
    note: str


@dataclass
class Recognised:
    """A program before it is a network."""

    emitter: InstructionEmitter
    layers: list[FoundLayer] = field(default_factory=list)


def recognise(traced: Traced, other: Traced | None) -> Recognised:
    """Rewrite a graph.

    Args:
        traced: at two images; or at one, for a program that runs image by image.
        other: the same at three images: what differs grows with the batch.

    Raises:
        DataError: when an operator can be part of no program, or the network depends on the batch or on chance.
    """
    dependent = {traced.input.name}
    for node in traced.nodes:
        if any(source.name in dependent for source in node.all_input_nodes):
            dependent.add(node.name)
    if traced.output.name not in dependent:
        raise DataError("the network's output does not depend on its input")
    emitter = InstructionEmitter(traced, other, dependent)
    result = Recognised(emitter)
    for node in traced.nodes:
        name = operator_name(node)
        if node.name not in dependent:
            _raise_if_random(node, name)
            continue
        _raise_if_unsteady(node, name)
        convolution = read_convolution(node, name, traced)
        if convolution is not None and convolution.kernel.name in dependent:
            _dynamic(convolution, emitter, result)
        elif static_layer(node, name, convolution, emitter):
            continue
        else:
            emitter.operator(node)
    return result


def _raise_if_random(node: fx.Node, name: str) -> None:
    if name.startswith(RANDOM) and node.users:
        where = source_line(node) or module_path(node) or None
        raise DataError("the network draws random numbers", where=where, hint="build it for inference")


def _raise_if_unsteady(node: fx.Node, name: str) -> None:
    _raise_if_random(node, name)
    where = source_line(node) or module_path(node) or None
    if name.partition(".")[0] in ("dropout", "feature_dropout", "alpha_dropout") and node.args[2]:
        raise DataError(
            "the network drops values at random even in evaluation mode",
            where=where,
            hint="use nn.Dropout, or F.dropout(..., training=self.training)",
        )
    if name == "batch_norm.default" and node.args[5]:
        raise DataError(
            "the network normalises with the statistics of the batch it is given",
            where=where,
            why="what it answers for an image depends on the others",
            hint="use a batch norm with running statistics (track_running_stats=True), in evaluation mode",
        )


def _dynamic(convolution: Convolution, emitter: InstructionEmitter, result: Recognised) -> None:
    node, traced = convolution.node, emitter.traced
    where = source_line(node)
    folded = folded_groups(emitter, convolution)
    if folded is None:
        raise DataError(
            "a convolution's kernel is computed from the whole batch, or the batch is folded in a way that is not understood",
            where=where or module_path(node) or None,
            why=f"it has {convolution.groups} groups at a batch of {traced.batch}",
            hint="compute one kernel for each image, with groups = batch * groups",
        )
    kernel_shape = traced.shapes[convolution.kernel.name]
    taps = tuple(kernel_shape[2:]) if len(kernel_shape) == 4 else (1, *kernel_shape[2:])
    shape = (kernel_shape[0] // traced.batch, kernel_shape[1], int(taps[0]), int(taps[1]))
    mixing = find_mixing(traced, convolution.kernel, emitter.dependent, shape, folded)
    if isinstance(mixing, Mixing):
        bounds = _bounds(traced, mixing)
        if bounds.l1 is None and len(mixing.bank) > MOST_UNBOUNDED_KERNELS:
            mixing = NoMixing(f"it is computed from {len(mixing.bank)} values that nothing bounds")
    maps = unfolded_input(emitter, convolution, shape[1] * folded)
    if isinstance(mixing, NoMixing):
        path = emitter.paths.claim(module_path(node), "conv")
        layer: nn.Module = ComputedConv2d(**convolution.geometry(folded))
        kernel = reshaped(emitter, convolution.kernel, [BatchSize(1), *shape], module_path(node))
        y = emitter.call(path, layer, [maps, kernel])
        result.layers.append(FoundLayer(path, "computed", where, shape, mixing.reason))
        bias = plain_bias(emitter, convolution)
    else:
        path, y, bias = _mixed(convolution, mixing, bounds=bounds, groups=folded, maps=maps, emitter=emitter)
        form = "mixed" if mixing.alphas or bool(mixing.taps) else "gated"
        result.layers.append(FoundLayer(path, form, where, tuple(mixing.bank.shape), _note(mixing, bounds)))
    folded_output(emitter, convolution, y, bias)


def _bounds(traced: Traced, mixing: Mixing) -> MixingBounds:
    bounds = mixing_bounds(traced, mixing)
    gates = [gate_bound(gate.node) for gate in mixing.taps]
    known_bounds = [bound for bound in gates if bound is not None]
    return replace(bounds, taps=math.prod(known_bounds) if len(known_bounds) == len(gates) else None)


def _note(mixing: Mixing, bounds: MixingBounds) -> str:
    source = " and ".join(operator_name(alpha).partition(".")[0] for alpha in mixing.alphas)
    gates = [role for role in ("outputs", "inputs", "taps") if getattr(mixing, role)]
    parts = [f"weights by {source}" if source else "one kernel", *(f"gate on {role}" for role in gates)]
    if mixing.constant is not None:
        parts.append("a kernel that is not mixed")
    if bounds.kernel is None:
        parts.append("nothing bounds the weights")
    return ", ".join(parts)


def _mixed(
    convolution: Convolution,
    mixing: Mixing,
    *,
    bounds: MixingBounds,
    groups: int,
    maps: Value,
    emitter: InstructionEmitter,
) -> tuple[str, Value, Any]:
    """Emit the gates and the mixed convolution; the path, its value, and a bias that is left to add."""
    where = module_path(convolution.node)
    bank = mixing.bank
    if mixing.constant is not None:
        bank = torch.cat([bank, mixing.constant[None]])
    for gate in mixing.inputs:
        maps = gated(emitter, maps, gate, where)
    if not mixing.alphas and not mixing.taps:
        return _gated(convolution, mixing, groups, maps, emitter)
    alpha, source = mixing_weights(emitter, mixing, where)
    bias = shift = rest = None
    if not mixing.outputs:
        bias, shift, rest = mixed_bias(emitter, convolution, mixing, bank.shape[1])
    else:
        rest = plain_bias(emitter, convolution)
    layer = MixedConv2d(
        tuple(bank.shape),  # type: ignore[arg-type]
        **convolution.geometry(groups),
        bias=bias is not None,
        shift=shift is not None,
        bounds=bounds,
        gated=bool(mixing.taps),
    )
    layer.double()
    with torch.no_grad():
        layer.bank.copy_(bank)
        if layer.bias is not None and bias is not None:
            layer.bias.copy_(bias)
        if layer.shift is not None and shift is not None:
            layer.shift.copy_(shift)
    path = emitter.paths.claim(where, "conv")
    emitter.attentions[path] = source
    arguments = [maps, alpha]
    if bool(mixing.taps):
        arguments.append(taps(emitter, mixing.taps, where))
    y = emitter.call(path, layer, arguments)
    for gate in mixing.outputs:
        y = gated(emitter, y, gate, where)
    return path, y, rest


def _gated(
    convolution: Convolution, mixing: Mixing, groups: int, maps: Value, emitter: InstructionEmitter
) -> tuple[str, Value, Any]:
    """One kernel with gates on channels alone: a static convolution between two products."""
    where, kernel = module_path(convolution.node), mixing.bank[0]
    layer = nn.Conv2d(
        kernel.shape[1] * groups,
        kernel.shape[0],
        (int(kernel.shape[2]), int(kernel.shape[3])),
        **convolution.geometry(groups),
        bias=False,
    ).double()
    with torch.no_grad():
        layer.weight.copy_(kernel)
    path = emitter.paths.claim(where, "conv")
    y = emitter.call(path, layer, [maps])
    for gate in mixing.outputs:
        y = gated(emitter, y, gate, where)
    return path, y, plain_bias(emitter, convolution)
