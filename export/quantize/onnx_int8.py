"""Static int8 for ONNX, in QDQ form: pairs of QuantizeLinear and DequantizeLinear that the runtime fuses into int8 kernels.

* maps: uint8, one scale each, from calibration;
* constant kernels: int8, a scale per output channel;
* computed kernels: the bank is stored as int8 in units of the guaranteed scale of its output channel
  (:mod:`export.quantize.scales`), the mixing weights as ``round(255 alpha)``. The product of the two *is* the int8 kernel, so that
  runtimes aggregate in integers, read a quarter of the bytes and never see a float kernel. One step is spent on the rounding of
  alpha, so that even then no element can exceed 127;
* attention, gates and whatever is told to stay float: float arithmetic. Large weights there are int8 or float16 in the file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from export.quantize.onnx_graph import OnnxGraph, attribute
from export.quantize.onnx_storage import store_float16, store_int8
from export.quantize.onnx_units import FUSED, MOVES, Unit, find_units
from export.quantize.scales import (
    ALPHA_STEPS,
    Affine,
    affine,
    bank_scales,
    channel_scales,
    quantize_symmetric,
    rounding_margin,
)

Ranges = Mapping[str, tuple[float, float]]


def activations(graph: OnnxGraph, units: list[Unit]) -> list[str]:
    """The tensors whose ranges :func:`quantize_int8` wants, in the order of the graph."""
    wanted = {name for unit in units for name in (*unit.inputs, *([unit.output] if unit.output else []))}
    order = [*graph.inputs, *(name for node in graph.graph.node for name in node.output)]
    return [name for name in order if name in wanted and _source(graph, name) == name]


def quantize_int8(model: Any, ranges: Ranges, float_layers: Collection[str] = ()) -> list[Unit]:
    """Rewrite ``model`` in place; ``float_layers`` keep float arithmetic and get float16 storage. Returns the int8 units."""
    graph = OnnxGraph(model)
    units = [unit for unit in find_units(graph) if unit.layer not in float_layers]
    _Rewrite(graph, units, ranges, set(float_layers)).run()
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


class _Rewrite:
    def __init__(self, graph: OnnxGraph, units: list[Unit], ranges: Ranges, float_layers: set[str]) -> None:
        self.graph, self.units, self.ranges, self.float_layers = graph, units, ranges, float_layers
        self.codes: dict[str, Affine] = {}
        for unit in units:
            for name in (*unit.inputs, *([unit.output] if unit.output else [])):
                source = _source(graph, name)
                if source in ranges:
                    self.codes[source] = affine(*ranges[source], dtype="uint8")
        self.nodes: list[Any] = []
        self.replaced: dict[str, str] = {}  # tensor -> what its float readers read instead

    def run(self) -> None:
        by_node = {id(unit.node): unit for unit in self.units}
        banks = {id(node) for unit in self.units if unit.bank for node in (unit.bank.matmul, unit.bank.reshape)}
        for name in self.graph.inputs:
            if name in self.codes:
                self._encode(name)
        for node in self.graph.graph.node:
            unit = by_node.get(id(node))
            if id(node) in banks:
                continue  # written with its convolution
            if unit is not None:
                self._unit(unit)
            elif node.op_type in MOVES and node.input[0] in self.replaced and self._in_codes(node):
                self._move(node)
            else:
                self._float(node)
            for name in node.output:
                if name in self.codes:
                    self._encode(name)
        store_int8(self.graph, self.nodes, self.float_layers)
        store_float16(self.graph, self.nodes, self.float_layers)
        self.graph.finish(self.nodes)

    def _in_codes(self, node: Any) -> bool:
        # the graph's own input stays readable as float: only maps made inside are moved as codes
        inside = node.input[0] not in self.graph.inputs and _moves_exactly(node, self.graph)
        return inside and _source(self.graph, node.output[0]) in self.codes

    def _emit(self, kind: str, inputs: list[str], output: str, like: Any | None = None, **attributes: Any) -> str:
        from onnx import helper

        node = helper.make_node(kind, inputs, [output], **attributes)
        if like is not None:
            node.attribute.extend(like.attribute)
            node.name = like.name
        self.nodes.append(node)
        return output

    def _code_constants(self, code: Affine) -> list[str]:
        scale = self.graph.add_constant(f"s:{np.float32(code.scale)!r}", np.array(code.scale, np.float32))
        return [
            scale,
            self.graph.add_constant(f"z:{code.dtype}:{code.zero_point}", np.array(code.zero_point, code.dtype)),
        ]

    def _encode(self, name: str) -> None:
        """``name`` -> ``name/q`` -> ``name/dq``, which its readers read from now on."""
        constants = self._code_constants(self.codes[name])
        self._emit("QuantizeLinear", [name, *constants], f"{name}/q")
        self._emit("DequantizeLinear", [f"{name}/q", *constants], f"{name}/dq")
        if name not in self.graph.outputs:
            self.replaced[name] = f"{name}/dq"

    def _move(self, node: Any) -> None:
        """Move codes instead of values: the result is ``output/q``, and ``output/dq`` for its readers."""
        source = _source(self.graph, node.output[0])
        inputs = [f"{node.input[0]}/q", *node.input[1:]]
        if node.op_type == "Pad":
            zero = self._code_constants(self.codes[source])[1]
            inputs = [*inputs[:2], zero, *inputs[3:]]
        self._emit(node.op_type, inputs, f"{node.output[0]}/q", like=node)
        self._emit(
            "DequantizeLinear",
            [f"{node.output[0]}/q", *self._code_constants(self.codes[source])],
            f"{node.output[0]}/dq",
        )
        self.replaced[node.output[0]] = f"{node.output[0]}/dq"
        if node.output[0] in self.graph.outputs:
            self._emit("Identity", [f"{node.output[0]}/dq"], node.output[0])

    def _float(self, node: Any) -> None:
        inside = _source(self.graph, node.input[0]) if node.input else ""
        for index, name in enumerate(node.input):
            # attention of the first layer reads the image itself, not its codes
            if name in self.replaced and not (
                name in self.graph.inputs and inside == name and node.op_type not in FUSED
            ):
                node.input[index] = self.replaced[name]
        self.nodes.append(node)

    def _unit(self, unit: Unit) -> None:
        node = unit.node
        for index, name in enumerate(node.input):
            node.input[index] = self.replaced.get(name, name)
        self.nodes.append(node)
        code = self.codes.get(_source(self.graph, unit.inputs[0]))
        if unit.kind == "conv":
            self._weight(node, self.graph.array(node.input[1]), 0, code)
        elif unit.kind == "linear":
            axis = 0 if node.op_type == "Gemm" and attribute(node, "transB", 0) else 1
            self._weight(node, self.graph.array(node.input[1]), axis, code)
        elif unit.bank is not None:
            scales = self._kernel(unit)
            self._bias(node, scales, code)

    def _weight(self, node: Any, weight: npt.NDArray[Any], axis: int, code: Affine | None) -> None:
        scales = channel_scales(weight, axis)
        name = node.input[1]
        stored = self.graph.add_constant(f"{name}/q", quantize_symmetric(weight, scales, axis))
        scale = self.graph.add_constant(f"{name}/s", scales)
        if not any(entry.output[0] == f"{name}/dq" for entry in self.nodes):
            self._emit("DequantizeLinear", [stored, scale, self._zeros(len(scales))], f"{name}/dq", axis=axis)
        node.input[1] = f"{name}/dq"
        self._bias(node, scales, code)

    def _zeros(self, count: int) -> str:
        return self.graph.add_constant(f"z:int8:0:{count}", np.zeros(count, np.int8))

    def _bias(self, node: Any, scales: npt.NDArray[Any], code: Affine | None) -> None:
        """An int32 bias in units of input scale times weight scale: what the accumulators are in."""
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
        node.input[2] = self._emit("DequantizeLinear", [quantized, scale], key, axis=0)

    def _kernel(self, unit: Unit) -> npt.NDArray[Any]:
        """The computed kernel as codes of the guaranteed scales; returns these, ``(O,)``."""
        bank, node = unit.bank, unit.node
        if bank is None:
            raise ValueError(f"{unit.layer} has no bank")
        values = self.graph.array(bank.name)
        kernels = values.shape[0]
        shape = [int(size) for size in self.graph.array(bank.reshape.input[1])]
        by_channel = values.reshape(kernels, shape[0], -1)
        scales = bank_scales(by_channel)
        stored = quantize_symmetric(by_channel, scales, axis=1).reshape(values.shape)
        margin = rounding_margin(kernels)
        alpha = self._code_constants(Affine(1 / ALPHA_STEPS, 0, "uint8"))
        # an accumulator is the kernel times 255; what divides it holds the margin too
        step = self._code_constants(Affine(float(ALPHA_STEPS * margin), 0, "int8"))
        layer = unit.layer
        self._emit("QuantizeLinear", [self.replaced.get(bank.alpha, bank.alpha), *alpha], f"{layer}/alpha/q")
        codes = self.graph.add_constant(f"{bank.name}/q", stored)
        self._emit("MatMulInteger", [f"{layer}/alpha/q", codes], f"{layer}/mixed/i", like=bank.matmul)
        mixed = self._emit("Cast", [f"{layer}/mixed/i"], f"{layer}/mixed", to=1)
        self._emit("QuantizeLinear", [mixed, *step], f"{mixed}/q")
        kernel = self._emit("Reshape", [f"{mixed}/q", bank.reshape.input[1]], f"{layer}/kernel/q", like=bank.reshape)
        computed = (scales * margin).astype(np.float32)
        scale = self.graph.add_constant(f"{layer}/kernel/s", computed)
        self._emit("DequantizeLinear", [kernel, scale, self._zeros(len(computed))], str(bank.reshape.output[0]), axis=0)
        node.input[1] = bank.reshape.output[0]
        return computed
