"""What a mixed convolution is called with: weights, gates and biases, as instructions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, fx

from eamdeploy.networks.program.instructions import CALL, Argument, BatchSize, Instruction, StoredTensor, Value
from eamdeploy.networks.program.layers import Operation
from eamdeploy.networks.program.network import INPUT
from eamdeploy.training.importing.network.kernels.convolutions import Convolution
from eamdeploy.training.importing.network.kernels.kernel_form import Gate, Mixing
from eamdeploy.training.importing.network.kernels.multilinear import find_mixing
from eamdeploy.training.importing.network.kernels.unfold import reshaped
from eamdeploy.training.importing.network.tracing.evaluate import evaluate
from eamdeploy.training.importing.network.tracing.trace import module_path

if TYPE_CHECKING:
    from eamdeploy.training.importing.network.emit import InstructionEmitter


def mixing_weights(emitter: InstructionEmitter, mixing: Mixing, where: str) -> tuple[Value, str]:
    """``alpha: (B, k)`` and the path of the layer that gives it."""
    constant = mixing.constant is not None
    key = (tuple(alpha.name for alpha in mixing.alphas), constant)
    if mixing.alphas and key in emitter.alphas:
        return emitter.alphas[key]
    if not mixing.alphas:
        return _operation(emitter, "new_full.default", [Value(INPUT), [BatchSize(1), 1], 1.0], where)
    place = module_path(mixing.alphas[0])
    if len(mixing.alphas) == 1:
        joined = _weights(emitter, mixing.alphas[0], place)
    else:
        parts = [reshaped(emitter, alpha, [BatchSize(1), _each(emitter, alpha)], place) for alpha in mixing.alphas]
        joined = _operation(emitter, "cat.default", [parts, 1], place)
    if constant:
        joined = _operation(emitter, "constant_pad_nd.default", [joined[0], [0, 1], 1.0], place)
    emitter.alphas[key] = joined
    return joined


def _weights(emitter: InstructionEmitter, alpha: fx.Node, place: str) -> tuple[Value, str]:
    count = _each(emitter, alpha)
    if emitter.traced.shapes[alpha.name] == (emitter.traced.batch, count):
        return _as_layer(emitter, alpha, place)
    return _operation(emitter, "reshape.default", [emitter.value(alpha), [BatchSize(1), count]], place)


def _each(emitter: InstructionEmitter, node: fx.Node) -> int:
    """Elements of ``node`` for one image."""
    return math.prod(emitter.traced.shapes[node.name]) // emitter.traced.batch


def _operation(emitter: InstructionEmitter, operator: str, args: Sequence[Argument], place: str) -> tuple[Value, str]:
    path = emitter.paths.claim(f"{place}.alpha" if place else "alpha", "alpha")
    return emitter.call(path, Operation(operator), args), path


def _as_layer(emitter: InstructionEmitter, node: fx.Node, place: str) -> tuple[Value, str]:
    """Turn the instruction that gives ``node`` into a layer's, so that its value has a path."""
    value = emitter.value(node)
    if not isinstance(value, Value):
        raise TypeError(node.name)
    index = next(i for i, step in enumerate(emitter.instructions) if step.name == value.name)
    step = emitter.instructions[index]
    if step.operator == CALL:
        return value, step.layer
    path = emitter.paths.claim(f"{place}.alpha" if place else "alpha", "alpha")
    emitter.layers[path] = Operation(step.operator)
    emitter.instructions[index] = Instruction(
        step.name, CALL, args=step.args, kwargs=step.kwargs, layer=path, where=path
    )
    return value, path


def _gate_values(emitter: InstructionEmitter, gate: Gate, where: str, *, tail: tuple[int, ...]) -> Value:
    count = _each(emitter, gate.node)
    values = reshaped(emitter, gate.node, [BatchSize(1), count, *tail], where)
    if gate.index == tuple(range(count)):
        return values
    name = f"gate.{gate.node.name}.index"
    emitter.tensors[name] = torch.tensor(gate.index)
    return emitter.add(name, "index_select.default", [values, 1, StoredTensor(name)], where)


def gated(emitter: InstructionEmitter, maps: Value, gate: Gate, where: str) -> Value:
    """``maps`` times one factor for each channel."""
    factors = _gate_values(emitter, gate, where, tail=(1, 1))
    return emitter.add(f"{gate.node.name}.gated", "mul.Tensor", [maps, factors], where)


def taps(emitter: InstructionEmitter, gates: Sequence[Gate], where: str) -> Value:
    """The product of gates on a kernel's taps, ``(B, kh kw)``."""
    values = [_gate_values(emitter, gate, where, tail=()) for gate in gates]
    product = values[0]
    for value in values[1:]:
        product = emitter.add(f"{value.name}.taps", "mul.Tensor", [product, value], where)
    return product


def plain_bias(emitter: InstructionEmitter, convolution: Convolution) -> Argument:
    """The bias as something to be added to ``(B, O, H', W')``, or ``None``."""
    bias, where = convolution.bias, module_path(convolution.node)
    if bias is None:
        return None
    count = emitter.traced.shapes[bias.name][0] // emitter.traced.batch
    return emitter.add(
        f"{bias.name}.maps", "reshape.default", [emitter.value(bias), [BatchSize(1), count, 1, 1]], where
    )


def mixed_bias(
    emitter: InstructionEmitter, convolution: Convolution, mixing: Mixing, outputs: int
) -> tuple[Tensor | None, Tensor | None, Argument]:
    """(mixed bias (k, O), bias that is not mixed (O,), what is left to be added)."""
    node = convolution.bias
    if node is None:
        return None, None, None
    if node.name not in emitter.dependent:
        whole = evaluate(emitter.traced, node, {}, emitter.memory).reshape(emitter.traced.batch, outputs)
        if bool((whole == whole[:1]).all()):
            return None, whole[0], None
        return None, None, plain_bias(emitter, convolution)
    bias_mixing = find_mixing(emitter.traced, node, emitter.dependent, (outputs, 1, 1, 1), 1)
    plain = (
        isinstance(bias_mixing, Mixing)
        and bias_mixing.alphas == mixing.alphas
        and not (bias_mixing.outputs or bias_mixing.inputs or bias_mixing.taps)
    )
    if not plain or not isinstance(bias_mixing, Mixing):
        return None, None, plain_bias(emitter, convolution)
    bias = bias_mixing.bank.flatten(1)
    if mixing.constant is not None:
        bias = torch.cat([bias, torch.zeros(1, outputs, dtype=bias.dtype)])
    shift = None if bias_mixing.constant is None else bias_mixing.constant.flatten()
    return bias, shift, None
