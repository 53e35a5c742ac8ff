"""Static int8 for TFLite: int8 maps and kernels between QUANTIZE and DEQUANTIZE operators.

* maps: int8, one scale each, from calibration; kernels that are constant: a scale per output channel, int32 biases;
* computed kernels of 1x1 layers: the bank is int8 under one scale for all of it, ``max_i max|K_i| / 127``, and so is W(x),
  zero point 0: no calibration, no clipping (the mixing weights, coded as 0..255 of 1/256, sum to one but for their
  rounding, for which the scale has its margin);
* attention, gates, classifier, and layers whose filter is computed but which are no matrix product: float. Their linear layers
  have int8 weights (the runtime quantizes their input on the fly), their banks float16 ones.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from export.quantize.bank_parts import cut, diagonal, parts_for
from export.quantize.scales import Affine, affine, channel_scales, quantize_symmetric, tensor_scale
from export.quantize.tflite.model import FLOAT32, INT8, TensorCode, TfliteModel
from export.quantize.tflite.storage import store_float16, store_hybrid
from export.quantize.tflite.units import MOVES, TfliteUnit, find_units

ALPHA = Affine(1 / 256, -128, "int8")
_VERSIONS = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "BATCH_MATMUL": 2,
    "ADD": 2,
    "MUL": 2,
    "PAD": 2,
}
_VERSIONS |= {"SLICE": 2, "CONCATENATION": 2, "TRANSPOSE": 2, "STRIDED_SLICE": 2, "SPLIT": 2, "MAX_POOL_2D": 2}


def activations(model: TfliteModel, units: list[TfliteUnit]) -> list[int]:
    """The tensors whose ranges :func:`quantize_int8` wants."""
    measured_tensors = {source(model, tensor) for unit in units for tensor in (*unit.inputs, unit.output)}
    return sorted(measured_tensors)


def source(model: TfliteModel, tensor: int) -> int:
    """Where a tensor's values come from, back through operators that only move them (never two different tensors)."""
    while (op := model.producer.get(tensor)) is not None and model.kind(op) in MOVES:
        origins = {source(model, int(t)) for t in op.inputs if t >= 0 and model.is_float(int(t))}
        if len(origins) != 1:
            break
        tensor = origins.pop()
    return tensor


def quantize_int8(
    model: TfliteModel,
    ranges: Mapping[str, tuple[float, float]],
    float_layers: Collection[str],
    machine: str,
) -> list[TfliteUnit]:
    """Rewrite ``model`` in place; ``ranges`` by tensor name. Returns the int8 units.

    ``machine`` is the kind of CPU that banks are laid out for; the file runs on any.
    """
    units = [unit for unit in find_units(model) if unit.layer not in float_layers]
    _TfliteInt8Rewrite(model, units, ranges, machine).run()
    store_hybrid(model)
    store_float16(model)
    return units


class _TfliteInt8Rewrite:
    def __init__(
        self, model: TfliteModel, units: list[TfliteUnit], ranges: Mapping[str, tuple[float, float]], machine: str
    ) -> None:
        self.model, self.units, self.machine = model, units, machine
        self.codes: dict[int, Affine] = {}
        for tensor in activations(model, units):
            self.codes[tensor] = affine(*ranges[model.name(tensor)], dtype="int8")
        self.stored: dict[int, int] = {}  # float tensor -> its int8 form
        self.real: dict[int, int] = {}  # int8 tensor -> its float form
        self.out: list[Any] = []

    def run(self) -> None:
        model = self.model
        by_op = {id(unit.op): unit for unit in self.units}
        banks = {id(op) for unit in self.units if unit.bank for op in (unit.bank.mixing, unit.bank.reshape)}
        origins = {int(t): source(model, int(t)) for op in model.graph.operators for t in op.outputs}
        fixed = {int(t) for t in (*model.graph.inputs, *model.graph.outputs)}
        for op in list(model.graph.operators):
            unit = by_op.get(id(op))
            if id(op) in banks:
                continue  # written with its matrix product
            if unit is not None:
                self._unit(unit)
            elif self._moves_codes(op, fixed):
                self._move(op, origins)
            else:
                op.inputs = [self._float(int(t)) if t >= 0 else -1 for t in op.inputs]
                self.out.append(op)
        model.graph.operators = self.out
        model.index()

    def _moves_codes(self, op: Any, fixed: set[int]) -> bool:
        if self.model.kind(op) not in MOVES:
            return False
        floats = [int(t) for t in op.inputs if t >= 0 and self.model.graph.tensors[int(t)].type in (FLOAT32, INT8)]
        return bool(floats) and all(t in self.real_codes() for t in floats) and not fixed & {int(t) for t in op.outputs}

    def real_codes(self) -> dict[int, Affine]:
        """Tensors that are int8 in place, with their codes."""
        return {tensor: self.codes[tensor] for tensor in self.codes if self.model.graph.tensors[tensor].type == INT8}

    def _move(self, op: Any, origins: dict[int, int]) -> None:
        for tensor in op.outputs:
            code = (
                self.codes[origins[int(tensor)]]
                if origins[int(tensor)] in self.codes
                else self.codes[int(op.inputs[0])]
            )
            self.codes[int(tensor)] = code
            self.model.set_code(int(tensor), _one(code))
        self._emit(op)

    def _emit(self, op: Any) -> None:
        self.model.raise_version(op, _VERSIONS.get(self.model.kind(op), 1))
        self.out.append(op)

    def _int8(self, tensor: int) -> int:
        """The int8 form of a tensor that an int8 operator reads."""
        if self.model.graph.tensors[tensor].type == INT8:
            return tensor
        if tensor not in self.stored:
            code = self.codes[source(self.model, tensor)]
            name = f"{self.model.name(tensor)}/q"
            self.stored[tensor] = self.model.add_tensor(name, self.model.shape(tensor), INT8, _one(code))
            self.codes[self.stored[tensor]] = code
            options = self.model.schema.QuantizeOptionsT()
            self.out.append(self.model.operator("QUANTIZE", [tensor], [self.stored[tensor]], 1, options))
        return self.stored[tensor]

    def _float(self, tensor: int) -> int:
        """The float form of a tensor that a float operator reads."""
        if self.model.graph.tensors[tensor].type != INT8 or tensor not in self.codes:
            return tensor
        if tensor not in self.real:
            self.real[tensor] = self.model.add_tensor(
                f"{self.model.name(tensor)}/dq", self.model.shape(tensor), FLOAT32
            )
            options = self.model.schema.DequantizeOptionsT()
            self.out.append(self.model.operator("DEQUANTIZE", [tensor], [self.real[tensor]], 2, options))
        return self.real[tensor]

    def _unit(self, unit: TfliteUnit) -> None:
        model, op = self.model, unit.op
        code = self.codes[unit.output]
        if unit.kind in {"conv", "depthwise"}:
            self._convolution(unit)
        elif unit.kind == "matmul":
            kernel = self._kernel(unit)
            op.inputs = [self._int8(int(op.inputs[0])), kernel]
        elif unit.kind == "bias":
            op.inputs = [self._bias(int(t)) if model.is_constant(int(t)) else int(t) for t in op.inputs]
        else:
            op.inputs = [self._int8(int(t)) for t in op.inputs]
        model.set_code(unit.output, _one(code))
        self._emit(op)

    def _bias(self, tensor: int) -> int:
        value = self.model.value(tensor)
        code = affine(float(value.min()), float(value.max()), "int8")
        return self.model.add_constant(f"{self.model.name(tensor)}/q", code.quantize(value), _one(code))

    def _convolution(self, unit: TfliteUnit) -> None:
        model, op = self.model, unit.op
        data = self._int8(int(op.inputs[0]))
        weight = model.value(int(op.inputs[1]))
        axis = 0 if unit.kind == "conv" else 3
        scales = channel_scales(weight, axis)
        zeros = (0,) * len(scales)
        stored = quantize_symmetric(weight, scales, axis)
        name = model.name(int(op.inputs[1]))
        kernel = model.add_constant(f"{name}/q", stored, TensorCode(tuple(map(float, scales)), zeros, axis))
        units = (scales.astype(np.float64) * self.codes[data].scale).astype(np.float32)
        bias = (
            model.value(int(op.inputs[2]))
            if len(op.inputs) > 2 and op.inputs[2] >= 0
            else np.zeros(len(scales), np.float32)
        )
        limit = 2**31 - 1
        sums = np.clip(np.rint(bias.astype(np.float64) / units), -limit, limit).astype(np.int32)
        offset = model.add_constant(f"{name}/bias/q", sums, TensorCode(tuple(map(float, units)), zeros, 0))
        op.inputs = [data, kernel, offset]

    def _kernel(self, unit: TfliteUnit) -> int:
        model, bank = self.model, unit.bank
        if bank is None:
            raise ValueError(f"{unit.layer} has no bank")
        values = model.value(bank.weight)  # (N, k)
        count, kernels = values.shape
        scale = tensor_scale(values)
        images = int(model.shape(bank.alpha)[0])
        # the diagonal below spreads the weights of one image
        parts = parts_for(count, "tflite", self.machine) if images == 1 else 1
        # (k, N) and a matrix product: a fifth faster than rows of k and a fully connected layer
        stored = cut(quantize_symmetric(values, scale).T, parts)
        weight = model.add_constant(f"{model.name(bank.weight)}/q", stored, TensorCode((float(scale),), (0,)))
        mixing = bank.alpha if parts == 1 else self._on_the_diagonal(unit.layer, bank.alpha, parts, kernels)
        if mixing not in self.stored:
            self.codes.setdefault(mixing, ALPHA)
        alpha = self._int8(mixing)
        margin = TensorCode((float(scale * bank.code.l1 * bank.code.margin(kernels)),), (0,))
        mixed, kernel = int(bank.mixing.outputs[0]), int(bank.reshape.outputs[0])
        model.graph.tensors[mixed].shape = np.array([images * parts, count // parts], np.int32)
        options = model.schema.BatchMatMulOptionsT()
        self._emit(model.operator("BATCH_MATMUL", [alpha, weight], [mixed], 2, options))
        self._emit(bank.reshape)
        for tensor in (mixed, kernel):
            model.set_code(tensor, margin)
        return kernel

    def _on_the_diagonal(self, layer: str, alpha: int, parts: int, kernels: int) -> int:
        """``(1, k)`` -> ``(parts, parts k)``: row i has alpha in its i-th block of k and zeros elsewhere."""
        model = self.model
        unit = model.add_constant(f"diagonal:{parts}", diagonal(parts))
        spread = model.add_tensor(f"{layer}/alpha/diagonal", (parts, parts, kernels), FLOAT32)
        self._emit(model.operator("MUL", [alpha, unit], [spread], 1, model.schema.MulOptionsT()))
        shape = model.add_constant(f"rows:{parts}x{kernels}", np.array([parts, parts * kernels], np.int32))
        rows = model.add_tensor(f"{layer}/alpha/rows", (parts, parts * kernels), FLOAT32)
        self._emit(model.operator("RESHAPE", [spread, shape], [rows], 1, model.schema.ReshapeOptionsT()))
        return rows


def _one(code: Affine) -> TensorCode:
    return TensorCode((code.scale,), (code.zero_point,))
