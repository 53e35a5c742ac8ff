"""Break real artifact files on purpose, one layer at a time."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from eamdeploy.parity.run.probe_tflite import read_model, write_model

TAU = 30.0


def onnx_edit(source: Path, target: Path, edit: Callable[[Any], None]) -> Path:
    import onnx

    model = onnx.load(str(source))
    edit(model.graph)
    onnx.save(model, str(target))
    return target


def _node(graph: Any, prefix: str, kind: str) -> Any:
    return next(node for node in graph.node if node.name.startswith(prefix) and node.op_type == kind)


def _array(graph: Any, name: str) -> tuple[Any, np.ndarray]:
    from onnx import numpy_helper

    tensor = next(tensor for tensor in graph.initializer if tensor.name == name)
    return tensor, numpy_helper.to_array(tensor).copy()


def _put(tensor: Any, value: np.ndarray) -> None:
    from onnx import numpy_helper

    name = tensor.name
    tensor.CopyFrom(numpy_helper.from_array(value, name))


def onnx_expert(layer: str) -> Callable[[Any], None]:
    """One kernel of the bank, 5 % larger."""

    def edit(graph: Any) -> None:
        products = [node for node in graph.node if node.name.startswith(f"{layer}.bank/") and node.op_type == "MatMul"]
        if products:  # a computed kernel: the bank is one matrix
            tensor, bank = _array(graph, products[0].input[1])
            bank[1] *= 1.05
        else:  # constant kernels: one convolution each, in the bank's order
            kernels = [node for node in graph.node if node.name.startswith(f"{layer}") and node.op_type == "Conv"]
            tensor, bank = _array(graph, kernels[1].input[1])
            bank *= 1.05
        _put(tensor, bank)

    return edit


def onnx_gather(layer: str) -> Callable[[Any], None]:
    """Two channels of the attention's choice swapped."""

    def edit(graph: Any) -> None:
        from onnx import numpy_helper

        node = _node(graph, f"{layer}.attention", "Gather")
        _, indices = _array(graph, node.input[1])
        indices[[0, 1]] = indices[[1, 0]]
        # the constant may serve other layers too
        graph.initializer.append(numpy_helper.from_array(indices, "swapped"))
        node.input[1] = "swapped"

    return edit


def onnx_temperature(layer: str) -> Callable[[Any], None]:
    """The softmax without its temperature: what was folded into the last linear layer, taken out again."""

    def edit(graph: Any) -> None:
        node = _node(graph, f"{layer}.attention.fc2", "Gemm")
        for name in node.input[1:]:
            tensor, value = _array(graph, name)
            _put(tensor, value * TAU)

    return edit


def tflite_edit(source: Path, target: Path, edit: Callable[[Any], None]) -> Path:
    model = read_model(source)
    edit(model)
    with zipfile.ZipFile(source) as archive:
        write_model(model, target, archive.read("eamdeploy.json"))
    return target


def _operator(model: Any, prefix: str, code: int) -> Any:
    graph = model.subgraphs[0]
    for operator in graph.operators:
        operator_code = model.operatorCodes[operator.opcodeIndex]
        name = graph.tensors[operator.outputs[0]].name.decode()
        if name.startswith(prefix) and max(operator_code.builtinCode, operator_code.deprecatedBuiltinCode) == code:
            return operator
    raise LookupError(f"{prefix} has no operator {code}")


def _constant(model: Any, index: int) -> np.ndarray:
    buffer = model.buffers[model.subgraphs[0].tensors[index].buffer]
    buffer.data = np.asarray(buffer.data, dtype=np.uint8).copy()
    return buffer.data.view(np.float32).reshape(model.subgraphs[0].tensors[index].shape)


def tflite_expert(layer: str) -> Callable[[Any], None]:
    def edit(model: Any) -> None:
        from ai_edge_litert.schema_py_generated import BuiltinOperator

        operator = _operator(model, f"{layer}.bank/", BuiltinOperator.FULLY_CONNECTED)
        _constant(model, operator.inputs[1])[:, 1] *= 1.05

    return edit


def tflite_gather(layer: str) -> Callable[[Any], None]:
    def edit(model: Any) -> None:
        from ai_edge_litert.schema_py_generated import BuiltinOperator

        operator = _operator(model, f"{layer}.attention", BuiltinOperator.CONCATENATION)
        inputs = [int(index) for index in operator.inputs]
        operator.inputs = [inputs[1], inputs[0], *inputs[2:]]

    return edit


def tflite_temperature(layer: str) -> Callable[[Any], None]:
    def edit(model: Any) -> None:
        from ai_edge_litert.schema_py_generated import BuiltinOperator

        operator = _operator(model, f"{layer}.attention.fc2/", BuiltinOperator.FULLY_CONNECTED)
        for index in operator.inputs[1:]:
            _constant(model, index)[...] *= TAU

    return edit


EDITS: dict[str, tuple[Callable[..., Path], dict[str, Callable[[str], Callable[[Any], None]]]]] = {
    "onnx": (onnx_edit, {"expert": onnx_expert, "gather": onnx_gather, "temperature": onnx_temperature}),
    "tflite": (tflite_edit, {"expert": tflite_expert, "gather": tflite_gather, "temperature": tflite_temperature}),
}


def break_artifact(source: Path, target: Path, how: str, layer: str) -> Path:
    """Write a broken copy of ``source``."""
    edit, kinds = EDITS[source.suffix[1:]]
    return edit(source, target, kinds[how](layer))
