"""Files for runtimes that take constant kernels alone (XNNPACK delegates, RKNN, Core ML, NPUs): planned so, and checked so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eamdeploy.base.errors import UsageError

_ONNX_WEIGHTS = {"Conv": 1, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1}
_TFLITE_WEIGHTS = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "BATCH_MATMUL": 1, "TRANSPOSE_CONV": 1}


def raise_if_computed(path: Path, form: str) -> None:
    """Look at every operator of the file that has a weight.

    Raises:
        UsageError: for a format that is not looked into, or when a weight is computed; the operator is named.
    """
    readers = {"onnx": _computed_onnx, "tflite": _computed_tflite}
    if form not in readers:
        raise UsageError(f"a {form} file cannot be checked for computed weights", hint="export to onnx or tflite")
    reason = next(readers[form](path), None)
    if reason is not None:
        raise UsageError(
            f"the operator '{reason}' has a computed weight",
            why="the network computes it outside of its dynamic layers",
            hint="leave the demand for constant weights out",
        )


def _computed_onnx(path: Path) -> Iterator[str]:
    import onnx

    graph = onnx.load(str(path), load_external_data=False).graph
    constants = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type in {"Constant", "Identity", "DequantizeLinear", "Cast", "Reshape", "Transpose"} and all(
            name in constants for name in node.input if name
        ):
            constants.update(node.output)
        place = _ONNX_WEIGHTS.get(node.op_type)
        if place is None or node.input[place] in constants:
            continue
        # a product has no order: a constant on either side is its weight
        if node.op_type != "MatMul" or node.input[0] not in constants:
            yield node.name or node.op_type


def _computed_tflite(path: Path) -> Iterator[str]:
    from export.quantize.tflite.model import TfliteModel

    model = TfliteModel.read(path)
    for op in model.graph.operators:
        place = _TFLITE_WEIGHTS.get(model.kind(op))
        if place is None or model.is_constant(int(op.inputs[place])):
            continue
        if model.kind(op) != "BATCH_MATMUL" or not model.is_constant(int(op.inputs[0])):
            yield model.name(int(op.outputs[0])) or model.kind(op)
