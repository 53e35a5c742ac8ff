"""A classifier from elsewhere, brought into the form that the rewrite reads: batch norms folded, constants as initializers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from eamdeploy.base.errors import UsageError

IR_VERSION = 8  # of onnx 1.10 to 1.12, which opset 17 came with
OPSET = 17  # per-channel DequantizeLinear came with 13; 17 is what the converter reaches from every older one


def prepare_foreign(model: Any, path: Path) -> Any:
    """An equal model of opset 13 or later, simplified by onnxruntime's basic, standard-ONNX optimizations.

    Raises:
        UsageError: when it cannot be brought there.
    """
    import onnx
    import onnxruntime

    opset = next((entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}), 0)
    if opset < 13:
        try:
            model = onnx.version_converter.convert_version(model, OPSET)
        except (RuntimeError, ValueError) as error:
            why = f"opset {opset} cannot be raised to {OPSET} ({' '.join(str(error).split())[:150]})"
            raise UsageError(
                "the quantizer does not know this model", where=path, why=why, hint="export it again"
            ) from error
    initializers = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initializers]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    # before version 4 every initializer had to be an input as well
    model.ir_version = max(model.ir_version, IR_VERSION)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory(prefix="eamdeploy-") as folder:
        options.optimized_model_filepath = str(Path(folder) / "basic.onnx")
        try:
            onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            # onnxruntime raises classes of its own for every kind of refusal
            why = " ".join(str(error).split())[:200]
            raise UsageError("onnxruntime does not accept the model", where=path, why=why) from error
        prepared = onnx.load(options.optimized_model_filepath)
    _name_nodes(prepared)
    return prepared


def _name_nodes(model: Any) -> None:
    """Every node gets a name of its own: layers are called by it."""
    used: set[str] = set()
    for index, node in enumerate(model.graph.node):
        if not node.name or node.name in used:
            node.name = f"{node.op_type}_{index}"
        used.add(node.name)
