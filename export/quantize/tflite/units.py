"""Which operators of a TFLite graph compute in int8, and what their layer is called.

Dynamic 1x1 layers are a BATCH_MATMUL with a computed operand, and XNNPACK runs that in int8. Computed filters of CONV_2D and
DEPTHWISE_CONV_2D leave XNNPACK; in int8 they are slower than in float, so those layers stay float.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eamdeploy.base.errors import UsageError
from export.quantize.scales import CONVEX_CODE, WeightsCode, weights_code
from export.quantize.tflite.model import TfliteModel

MOVES = {
    "RESHAPE",
    "TRANSPOSE",
    "SLICE",
    "STRIDED_SLICE",
    "CONCATENATION",
    "PAD",
    "SPLIT",
    "SQUEEZE",
    "EXPAND_DIMS",
    "MAX_POOL_2D",
}
_CONTROL_FLOW = {"IF", "WHILE", "CUSTOM"}
_QUANTIZED = {"QUANTIZE", "DEQUANTIZE"}


@dataclass(frozen=True)
class TfliteBank:
    """Where a computed kernel comes from: ``alpha -> FULLY_CONNECTED(alpha, bank) -> RESHAPE``."""

    mixing: Any
    reshape: Any
    code: WeightsCode = CONVEX_CODE

    @property
    def alpha(self) -> int:
        """Tensor of the mixing weights."""
        return int(self.mixing.inputs[0])

    @property
    def weight(self) -> int:
        """The bank, ``(N, k)``."""
        return int(self.mixing.inputs[1])


@dataclass(frozen=True)
class TfliteUnit:
    """One operator in int8: ``conv``, ``depthwise``, ``matmul`` (with a bank), ``bias``, ``add``, ``mul`` or ``hswish``."""

    layer: str
    kind: str
    op: Any
    inputs: tuple[int, ...]
    output: int
    bank: TfliteBank | None = None


def layer_name(model: TfliteModel, tensor: int) -> str:
    """The layer a tensor is named after, as ONNX nodes are."""
    path, _, kind = model.name(tensor).rpartition("/")
    if kind == "output" and not path.endswith(".conv"):
        path += ".conv"
    return path.removesuffix(".bank") or model.name(tensor)


def check_supported(model: TfliteModel) -> None:
    """Raises :class:`UsageError` for a graph this quantizer cannot understand: it names the operator."""
    for op in model.graph.operators:
        kind = model.kind(op)
        if kind in _CONTROL_FLOW:
            raise UsageError("the quantizer does not know this model", why=f"it has the operator {kind}")
        coded = any(model.has_int8_code(int(tensor)) for tensor in (*op.inputs, *op.outputs) if tensor >= 0)
        if kind in _QUANTIZED or coded:
            raise UsageError("the model is quantized already", hint="give the float model")


def find_units(model: TfliteModel) -> list[TfliteUnit]:
    """Every unit in the order of the graph.

    Raises:
        UsageError: for operators the quantizer does not know.
    """
    check_supported(model)
    units: list[TfliteUnit] = []
    products: dict[int, TfliteUnit] = {}
    for op in model.graph.operators:
        unit = _unit(model, op, products)
        if unit is not None:
            units.append(unit)
            if unit.kind == "matmul":
                products[unit.output] = unit
    return units


def _unit(model: TfliteModel, op: Any, products: dict[int, TfliteUnit]) -> TfliteUnit | None:
    kind, output = model.kind(op), int(op.outputs[0])
    inputs = [int(tensor) for tensor in op.inputs if tensor >= 0]
    layer = layer_name(model, output)
    if ".attention" in layer or output in {int(tensor) for tensor in model.graph.outputs} or not model.is_float(output):
        return None
    if kind in {"CONV_2D", "DEPTHWISE_CONV_2D"} and model.is_constant(inputs[1]):
        return TfliteUnit(layer, "conv" if kind == "CONV_2D" else "depthwise", op, (inputs[0],), output)
    if kind == "BATCH_MATMUL" and not op.builtinOptions.adjX and not op.builtinOptions.adjY:
        bank = _bank(model, inputs[1])
        if bank is not None:
            return TfliteUnit(
                layer_name(model, bank.weight), "matmul", op=op, inputs=(inputs[0],), output=output, bank=bank
            )
    if kind == "ADD" and len(inputs) == 2:
        product = next((products[tensor] for tensor in inputs if tensor in products), None)
        constant = [tensor for tensor in inputs if model.is_constant(tensor)]
        if product is not None and constant and len(model.readers.get(product.output, [])) == 1:
            return TfliteUnit(product.layer, "bias", op, (product.output,), output)
        if not constant and len(model.shape(output)) >= 3:
            return TfliteUnit(layer, "add", op, tuple(inputs), output)
    gating = kind == "MUL" and ".gate" in layer and len(model.shape(output)) >= 3
    if gating and not any(model.is_constant(tensor) for tensor in inputs):
        return TfliteUnit(layer, "mul", op, tuple(inputs), output)
    if kind == "HARD_SWISH" and len(model.shape(output)) >= 3:
        return TfliteUnit(layer, "hswish", op, (inputs[0],), output)
    return None


def _bank(model: TfliteModel, weight: int) -> TfliteBank | None:
    reshape = model.producer.get(weight)
    if reshape is None or model.kind(reshape) != "RESHAPE" or len(model.readers.get(weight, [])) != 1:
        return None
    mixing = model.producer.get(int(reshape.inputs[0]))
    if mixing is None or model.kind(mixing) != "FULLY_CONNECTED" or not model.is_constant(int(mixing.inputs[1])):
        return None
    plain = mixing.builtinOptions.fusedActivationFunction == 0 and (len(mixing.inputs) < 3 or mixing.inputs[2] < 0)
    layer = layer_name(model, int(mixing.inputs[1]))
    code = _code(model, layer)
    if model.mixing and layer not in model.mixing and not _at_most_one(model, int(mixing.inputs[0])):
        return None
    # signed weights would need another zero point than the shipped form has
    if code is None or code.signed or not plain or len(model.readers[int(reshape.inputs[0])]) != 1:
        return None
    return TfliteBank(mixing, reshape, code)


def _code(model: TfliteModel, layer: str) -> WeightsCode | None:
    """The code of a layer's weights; the widest of all where the converter has renamed the layer, so that none clips."""
    if not model.mixing or layer in model.mixing:
        return weights_code(model.mixing, layer)
    codes = [weights_code(model.mixing, name) for name in model.mixing]
    bounded = [code for code in codes if code is not None]
    return max(bounded, key=lambda code: code.l1) if len(bounded) == len(codes) else None


def _at_most_one(model: TfliteModel, alpha: int) -> bool:
    """Whether mixing weights end at 1: a converter may divide a bank by what it multiplies them with."""
    while (op := model.producer.get(alpha)) is not None and model.kind(op) in MOVES:
        alpha = int(op.inputs[0])
    return op is not None and model.kind(op) in ("SOFTMAX", "LOGISTIC")
