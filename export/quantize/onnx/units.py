"""Which nodes of an ONNX graph compute in int8, found by what they are and not by who exported them.

A unit is a node with the activation that the runtime fuses into it: convolutions with constant kernels, convolutions whose
kernel a bank and mixing weights give, linear layers outside gates and attentions, sums and products of maps. Everything else stays
float and reads dequantized tensors; operators that only move values move the quantized ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from eamdeploy.base.errors import UsageError
from export.onnx.graph import OnnxGraph, attribute, layer_of
from export.quantize.scales import CONVEX_CODE, WeightsCode, weights_code

FUSED = {"Relu", "Clip"}
MOVES = {"Gather", "Slice", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "MaxPool", "Identity", "Pad"}
_POOLING = {"ReduceMean", "ReduceMax", "ReduceSum", "GlobalAveragePool", "GlobalMaxPool", "AveragePool"}
POOLS = {"GlobalAveragePool", "AveragePool"}
_CONTROL_FLOW = {"If", "Loop", "Scan", "SequenceMap"}
_QUANTIZED = {"QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}


@dataclass(frozen=True)
class OnnxBank:
    """Where a computed kernel comes from: ``alpha -> MatMul(alpha, bank) -> Reshape``, and ``Mul`` with a gate on its taps.

    Attributes:
        gate: of a gated kernel: the product, and the name of the gate in it.
    """

    alpha: str
    matmul: Any
    reshape: Any
    code: WeightsCode = CONVEX_CODE
    gate: tuple[Any, str] | None = None

    @property
    def name(self) -> str:
        """The bank's initializer, ``(k, N)``."""
        return str(self.matmul.input[1])

    @property
    def nodes(self) -> tuple[Any, ...]:
        """What computes the kernel."""
        return (self.matmul, self.reshape) if self.gate is None else (self.matmul, self.reshape, self.gate[0])


@dataclass(frozen=True)
class OnnxUnit:
    """One thing that can be done in int8.

    Attributes:
        layer: module path, or the node's name: what the manifest and ``--float-layers`` call it.
        kind: ``conv``, ``dynamic-conv``, ``linear``, ``add``, ``mul``, ``concat`` or ``pool``.
        node: the node.
        inputs: its activations.
        output: the tensor to be quantized behind it, after a fused activation; ``None`` where it stays float.
        bank: of a ``dynamic-conv``.
    """

    layer: str
    kind: str
    node: Any
    inputs: tuple[str, ...]
    output: str | None
    bank: OnnxBank | None = None


def check_supported(graph: OnnxGraph) -> None:
    """Raises :class:`UsageError` for what this quantizer cannot understand: it names the operator."""
    for node in graph.graph.node:
        where = node.name or node.op_type
        if node.domain not in ("", "ai.onnx"):
            why = f"operator {node.domain}.{node.op_type} is not of the ONNX standard"
            raise UsageError(
                "the quantizer does not know this model",
                where=where,
                why=why,
                hint="export it without custom operators",
            )
        if node.op_type in _CONTROL_FLOW:
            why = f"operator {node.op_type} holds a graph of its own"
            raise UsageError(
                "the quantizer does not know this model", where=where, why=why, hint="export it without control flow"
            )
        if node.op_type in _QUANTIZED:
            raise UsageError("the model is quantized already", where=where, hint="give the float model")


def find_units(graph: OnnxGraph) -> list[OnnxUnit]:
    """Every unit, in the order of the graph.

    Raises:
        UsageError: for operators the quantizer does not know, or when nothing can be quantized.
    """
    check_supported(graph)
    attention = _attention_nodes(graph)
    units = [
        unit for node in graph.graph.node if id(node) not in attention and (unit := _unit(graph, node)) is not None
    ]
    alphas = {unit.bank.alpha for unit in units if unit.bank is not None}
    # what mixes biases is no layer of its own
    units = [unit for unit in units if unit.kind != "linear" or unit.inputs[0] not in alphas]
    if not any(unit.kind in {"conv", "dynamic-conv", "linear"} for unit in units):
        kinds = ", ".join(sorted({node.op_type for node in graph.graph.node})[:8])
        raise UsageError(
            "nothing in this model can be quantized", why=f"it has no convolution or linear layer but {kinds}"
        )
    return units


def _unit(graph: OnnxGraph, node: Any) -> OnnxUnit | None:
    layer = layer_of(node)
    if ".attention" in layer:
        return None
    if node.op_type == "Conv":
        if node.input[1] in graph.constants:
            return OnnxUnit(layer, "conv", node, (node.input[0],), _behind(graph, node))
        bank = _bank(graph, node.input[1], layer)
        constant_bias = len(node.input) < 3 or node.input[2] in graph.constants
        if bank is not None and constant_bias:
            return OnnxUnit(
                layer, "dynamic-conv", node=node, inputs=(node.input[0],), output=_behind(graph, node), bank=bank
            )
        return None
    inner = ".gate" in layer or layer.endswith(".bank")
    if node.op_type in {"Gemm", "MatMul"} and node.input[1] in graph.constants and not inner:
        plain = (
            attribute(node, "transA", 0) == 0 and attribute(node, "alpha", 1.0) == attribute(node, "beta", 1.0) == 1.0
        )
        flat = len(graph.constants[node.input[1]].dims) == 2 and node.input[0] not in graph.constants
        return OnnxUnit(layer, "linear", node, (node.input[0],), None) if plain and flat else None
    maps = [name for name in node.input if name]
    computed = all(_is_map(graph, name) for name in maps) and _tap_gate(graph, node) is None
    if node.op_type in {"Add", "Mul", "Concat"} and len(maps) > 1 and computed:
        return OnnxUnit(layer, node.op_type.lower(), node, tuple(maps), _behind(graph, node))
    if node.op_type in POOLS and _is_map(graph, node.input[0]):
        return OnnxUnit(layer, "pool", node, (node.input[0],), node.output[0])
    return None


def _behind(graph: OnnxGraph, node: Any) -> str | None:
    """The tensor after the node and an activation that fuses into it; ``None`` where that is the graph's output."""
    output = str(node.output[0])
    reader = graph.sole_reader(output)
    if reader is not None and reader.op_type in FUSED:
        output = str(reader.output[0])
    return None if output in graph.outputs else output


def activation_ends(graph: OnnxGraph, activation: Any) -> tuple[float, float] | None:
    """The least and the greatest value that a fused activation lets through; ``None`` where its ends are computed."""
    if activation.op_type == "Relu":
        return 0.0, math.inf
    ends = [-math.inf, math.inf]
    for index, name in enumerate(activation.input[1:3]):
        if name and name not in graph.constants:
            return None
        ends[index] = float(graph.array(name).reshape(-1)[0]) if name else ends[index]
    return ends[0], ends[1]


def _bank(graph: OnnxGraph, weight: str, layer: str) -> OnnxBank | None:
    gate = _tap_gate(graph, graph.producer.get(weight))
    kernel = weight if gate is None else _other(gate)
    mixture = _mixture(graph, kernel)
    code = weights_code(graph.mixing, layer)
    if mixture is None or code is None or any(graph.sole_reader(name) is None for name in (weight, kernel)):
        return None
    matmul, reshape = mixture
    if graph.sole_reader(reshape.input[0]) is None or (gate is not None and code.taps is None):
        return None
    return OnnxBank(str(matmul.input[0]), matmul, reshape, code, gate)


def _mixture(graph: OnnxGraph, kernel: str) -> tuple[Any, Any] | None:
    """The product of mixing weights and bank that gives ``kernel``, and the operator that makes a kernel of it."""
    reshape = graph.producer.get(kernel)
    if reshape is None or reshape.op_type != "Reshape":
        return None
    matmul = graph.producer.get(reshape.input[0])
    if matmul is None or matmul.op_type != "MatMul" or matmul.input[1] not in graph.constants:
        return None
    return matmul, reshape


def _tap_gate(graph: OnnxGraph, node: Any | None) -> tuple[Any, str] | None:
    """The product of a mixed kernel and a gate ``(1, 1, kh, kw)``, with the gate's name."""
    if node is None or node.op_type != "Mul":
        return None
    for kernel, gate in (tuple(node.input), tuple(reversed(node.input))):
        shape = graph.shape(gate)
        if _mixture(graph, kernel) is not None and shape is not None and tuple(shape[:-2]) == (1, 1):
            return node, str(gate)
    return None


def _other(gate: tuple[Any, str]) -> str:
    """The kernel that is gated."""
    node, name = gate
    return str(node.input[1] if node.input[0] == name else node.input[0])


def _attention_nodes(graph: OnnxGraph) -> set[int]:
    """The nodes that give mixing weights and gates on taps, back to where a map is pooled: their arithmetic stays float."""
    waiting = [
        node.input[0] for node in graph.graph.node if node.op_type == "MatMul" and layer_of(node).endswith(".bank")
    ]
    waiting += [gate[1] for node in graph.graph.node if (gate := _tap_gate(graph, node)) is not None]
    attention_ids: set[int] = set()
    while waiting:
        node = graph.producer.get(waiting.pop())
        if node is None or id(node) in attention_ids or node.op_type in _POOLING:
            continue
        if any(_has_extent(graph, name) for name in node.output) or _is_mixed(graph, node):
            continue
        attention_ids.add(id(node))
        waiting.extend(node.input)
    return attention_ids


def _is_mixed(graph: OnnxGraph, node: Any) -> bool:
    """Whether it is a dynamic layer itself, which in a network of 1x1 maps lies before an attention and not in it."""
    return bool(node.op_type == "Conv" and node.input[1] in graph.producer)


def _has_extent(graph: OnnxGraph, name: str) -> bool:
    shape = graph.shape(name)
    return shape is not None and len(shape) == 4 and any(size != 1 for size in shape[2:])


def _is_map(graph: OnnxGraph, name: str) -> bool:
    return name not in graph.constants and len(graph.shape(name) or ()) == 4
