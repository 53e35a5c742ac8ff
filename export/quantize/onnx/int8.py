"""Static int8 for ONNX, in QDQ form: pairs of QuantizeLinear and DequantizeLinear that the runtime fuses into int8 kernels.

* maps: uint8, one scale each, from calibration;
* constant kernels: int8, a scale per output channel;
* computed kernels: mixed in integers under their guaranteed scales (:mod:`export.quantize.onnx.computed`);
* attention, gates and whatever is told to stay float: float arithmetic. Large weights there are int8 or float16 in the file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from export.onnx.graph import OnnxGraph, attribute
from export.quantize.onnx.computed import is_product, mix, multiply
from export.quantize.onnx.emit import Emitter
from export.quantize.onnx.storage import store_float16, store_int8
from export.quantize.onnx.units import FUSED, MOVES, OnnxBank, OnnxUnit, activation_ends, find_units
from export.quantize.scales import Affine, affine, channel_scales, quantize_symmetric

Ranges = Mapping[str, tuple[float, float]]


def activations(graph: OnnxGraph, units: list[OnnxUnit]) -> list[str]:
    """The tensors whose ranges :func:`quantize_int8` wants, in the order of the graph."""
    measured_names = {name for unit in units for name in (*unit.inputs, *([unit.output] if unit.output else []))}
    order = [*graph.inputs, *(name for node in graph.graph.node for name in node.output)]
    return [name for name in order if name in measured_names and _source(graph, name) == name]


def quantize_int8(model: Any, ranges: Ranges, float_layers: Collection[str], machine: str) -> list[OnnxUnit]:
    """Rewrite ``model`` in place; ``float_layers`` keep float arithmetic and get float16 storage. Returns the int8 units.

    ``machine`` is the kind of CPU that computed kernels are laid out for; the file runs on any.
    """
    graph = OnnxGraph(model)
    units = [unit for unit in find_units(graph) if unit.layer not in float_layers]
    _OnnxInt8Rewrite(graph, units, ranges, set(float_layers), machine).run()
    return units


def _source(graph: OnnxGraph, name: str) -> str:
    """Where the values of ``name`` come from, back through operators that only move them."""
    while (node := graph.producer.get(name)) is not None and node.op_type in MOVES and _moves_exactly(node, graph):
        name = node.input[0]
    return name


def _moves_exactly(node: Any, graph: OnnxGraph) -> bool:
    if any(name and name not in graph.constants for name in node.input[1:]):
        return False
    if node.op_type == "Pad":
        filled = graph.array(node.input[2]) if len(node.input) > 2 and node.input[2] else np.zeros(1)
        return attribute(node, "mode", b"constant") == b"constant" and not np.any(filled)
    return True


class _OnnxInt8Rewrite:
    def __init__(
        self, graph: OnnxGraph, units: list[OnnxUnit], ranges: Ranges, float_layers: set[str], machine: str
    ) -> None:
        self.graph, self.units, self.float_layers, self.machine = graph, units, float_layers, machine
        self.codes: dict[str, Affine] = {}
        for unit in units:
            for name in (*unit.inputs, *([unit.output] if unit.output else [])):
                source = _source(graph, name)
                if source in ranges:
                    self.codes[source] = affine(*ranges[source], dtype="uint8")
        # before the first node is changed: it asks for shapes
        self.products = {id(unit.node) for unit in units if is_product(graph, unit)}
        self.emitter = Emitter(graph)
        self.replaced: dict[str, str] = {}  # tensor -> what its float readers read instead
        self.written: set[int] = set()  # nodes that were written with others

    def run(self) -> None:
        by_node = {id(unit.node): unit for unit in self.units}
        # written with their convolution
        self.written |= {id(node) for unit in self.units if unit.bank for node in unit.bank.nodes}
        for name in self.graph.inputs:
            if name in self.codes:
                self._encode(name)
        for node in self.graph.graph.node:
            if id(node) in self.written:
                continue
            unit = by_node.get(id(node))
            if unit is not None:
                self._drop_activation(unit)
                self._unit(unit)
            elif node.op_type in MOVES and node.input[0] in self.replaced and self._in_codes(node):
                self._move(node)
            else:
                self._float(node)
            for name in node.output:
                if name in self.codes and name not in self.replaced:
                    self._encode(name)
        store_int8(self.graph, self.emitter.nodes, self.float_layers)
        store_float16(self.graph, self.emitter.nodes, self.float_layers)
        self.graph.finish(self.emitter.nodes)

    def _in_codes(self, node: Any) -> bool:
        # the graph's own input stays readable as float: only maps made inside are moved as codes
        inside = node.input[0] not in self.graph.inputs and _moves_exactly(node, self.graph)
        return inside and _source(self.graph, node.output[0]) in self.codes

    def _encode(self, name: str) -> None:
        """``name`` -> ``name/q`` -> ``name/dq``, which its readers read from now on."""
        self.emitter.decode(self.emitter.encode(name, self.codes[name]), name, self.codes[name])
        if name not in self.graph.outputs:
            self.replaced[name] = f"{name}/dq"

    def _move(self, node: Any) -> None:
        """Move codes instead of values: the result is ``output/q``, and ``output/dq`` for its readers."""
        code = self.codes[_source(self.graph, node.output[0])]
        stored, moved = f"{node.input[0]}/q", f"{node.output[0]}/q"
        weight_inputs = list(node.input[1:])
        if node.op_type == "Pad":
            weight_inputs[1:2] = self.emitter.code_constants(code)[1:]
        if node.op_type == "Gather" and self._picks_channels(node):
            # runtimes keep int8 maps channels last: there, only the few that are picked are transposed back
            last = self.emitter.emit("Transpose", [stored], f"{moved}/last", perm=[0, 2, 3, 1])
            picked = self.emitter.emit("Gather", [last, *weight_inputs], f"{moved}/picked", axis=3)
            self.emitter.nodes[-1].name = node.name
            self.emitter.emit("Transpose", [picked], moved, perm=[0, 3, 1, 2])
        else:
            self.emitter.emit(node.op_type, [stored, *weight_inputs], moved, like=node)
        self.replaced[node.output[0]] = self.emitter.decode(moved, node.output[0], code)
        if node.output[0] in self.graph.outputs:
            self.emitter.emit("Identity", [f"{node.output[0]}/dq"], node.output[0])

    def _picks_channels(self, node: Any) -> bool:
        flat = len(self.graph.constants[node.input[1]].dims) == 1
        return flat and attribute(node, "axis", 0) == 1 and len(self.graph.shape(node.input[0]) or ()) == 4

    def _float(self, node: Any) -> None:
        inside = _source(self.graph, node.input[0]) if node.input else ""
        for index, name in enumerate(node.input):
            # attention of the first layer reads the image itself, not its codes
            if name in self.replaced and not (
                name in self.graph.inputs and inside == name and node.op_type not in FUSED
            ):
                node.input[index] = self.replaced[name]
        self.emitter.nodes.append(node)

    def _drop_activation(self, unit: OnnxUnit) -> None:
        """Leave out the activation behind a unit where the codes saturate at its ends: runtimes fuse no ``Clip`` whose
        upper end is the last code's value only to within rounding, and then compute the whole layer in float."""
        if unit.output is None or unit.output == unit.node.output[0] or unit.output not in self.codes:
            return
        activation = self.graph.sole_reader(unit.node.output[0])
        ends = activation_ends(self.graph, activation)
        if ends is not None and self.codes[unit.output].saturates(*ends):
            unit.node.output[0] = unit.output
            self.written.add(id(activation))

    def _unit(self, unit: OnnxUnit) -> None:
        node = unit.node
        if unit.bank is not None:
            self._computed(unit, unit.bank)
            return
        for index, name in enumerate(node.input):
            node.input[index] = self.replaced.get(name, name)
        self.emitter.nodes.append(node)
        code = self.codes.get(_source(self.graph, unit.inputs[0]))
        if unit.kind == "conv":
            self._weight(node, self.graph.array(node.input[1]), 0, code)
        elif unit.kind == "linear":
            axis = 0 if node.op_type == "Gemm" and attribute(node, "transB", 0) else 1
            self._weight(node, self.graph.array(node.input[1]), axis, code)

    def _computed(self, unit: OnnxUnit, bank: OnnxBank) -> None:
        node, source = unit.node, unit.inputs[0]
        code, result = self.codes.get(_source(self.graph, source)), self.codes.get(unit.output or "")
        encoded = self.replaced.get(source) == f"{source}/dq"
        product = encoded and code is not None and result is not None and id(node) in self.products
        alpha = self.replaced.get(bank.alpha, bank.alpha)
        gate = None if bank.gate is None else self.replaced.get(bank.gate[1], bank.gate[1])
        scales = mix(self.emitter, unit.layer, bank, alpha=alpha, gate=gate, machine=self.machine, product=product)
        self._bias(node, scales, code)
        if product and code is not None and result is not None and unit.output is not None:
            activation = None if unit.output == node.output[0] else self.graph.sole_reader(node.output[0])
            shape = self.graph.shape(source) or ()
            multiply(
                self.emitter, unit, shape, out_channels=len(scales), source=code, activation=activation, result=result
            )
            if activation is not None:
                self.written.add(id(activation))
            self.replaced[unit.output] = f"{unit.output}/dq"
            return
        node.input[0], node.input[1] = self.replaced.get(source, source), f"{unit.layer}/kernel/dq"
        self.emitter.nodes.append(node)

    def _weight(self, node: Any, weight: npt.NDArray[Any], axis: int, code: Affine | None) -> None:
        scales = channel_scales(weight, axis)
        name = node.input[1]
        stored = self.graph.add_constant(f"{name}/q", quantize_symmetric(weight, scales, axis))
        scale = self.graph.add_constant(f"{name}/s", scales)
        if not any(entry.output[0] == f"{name}/dq" for entry in self.emitter.nodes):
            zeros = self.emitter.zeros(len(scales))
            self.emitter.emit("DequantizeLinear", [stored, scale, zeros], f"{name}/dq", axis=axis)
        node.input[1] = f"{name}/dq"
        self._bias(node, scales, code)

    def _bias(self, node: Any, scales: npt.NDArray[Any], code: Affine | None) -> None:
        """An int32 bias in units of input scale times weight scale, what the accumulators are in."""
        if len(node.input) < 3 or not node.input[2] or code is None or not self.graph.is_weight(node.input[2]):
            return
        bias = self.graph.array(node.input[2]).reshape(-1)
        if len(bias) != len(scales):
            return
        units = (scales.astype(np.float64) * code.scale).astype(np.float32)
        limit = 2**31 - 1
        stored = np.clip(np.rint(bias.astype(np.float64) / units), -limit, limit).astype(np.int32)
        key = f"{node.output[0]}/bias"
        quantized = self.graph.add_constant(f"{key}/q", stored)
        scale = self.graph.add_constant(f"{key}/s", units)
        node.input[2] = self.emitter.emit("DequantizeLinear", [quantized, scale], key, axis=0)
