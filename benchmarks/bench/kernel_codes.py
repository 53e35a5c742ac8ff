"""Whether computed kernels of an int8 file ever leave the scale that their layer guarantees: looked up in the running file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

LIMIT = 127  # of an int8 code; a kernel element beyond it would be clipped
Images = Iterable[npt.NDArray[np.float32]]


def largest_code(path: Path, images: Images) -> tuple[int, float]:
    """How many kernels the file computes in integers, and the largest element of any before it is rounded, in codes.

    Args:
        images: ``(1, C, H, W)`` each.
    """
    return _largest_onnx(path, images) if path.suffix == ".onnx" else _largest_tflite(path, images)


def _largest_onnx(path: Path, images: Images) -> tuple[int, float]:
    """What is rounded to a kernel's codes is divided by a constant: the quotient is compared with what a code holds."""
    import onnx

    from export.quantize.onnx.calibrate import session

    model = onnx.load(str(path))
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    integers = {node.output[0] for node in model.graph.node if node.op_type == "MatMulInteger"}
    reached = set(integers)
    divided: dict[str, float] = {}
    for node in model.graph.node:  # in the order of execution
        if node.op_type in ("Cast", "Reshape", "Mul") and reached.intersection(node.input):
            reached.update(node.output)
        if node.op_type == "QuantizeLinear" and node.input[0] in reached:
            divided[node.input[0]] = float(constants[node.input[1]])
    running, largest = session(model, list(divided)), 0.0
    for image in images:
        values = running.run(list(divided), {running.get_inputs()[0].name: image}) if divided else []
        for value, step in zip(values, divided.values(), strict=True):
            largest = max(largest, float(np.abs(value).max()) / step)
    return len(divided), largest


def _largest_tflite(path: Path, images: Images) -> tuple[int, float]:
    """The codes themselves; the product of weights and bank is a ``BATCH_MATMUL`` with a constant."""
    from export.quantize.tflite.calibrate import interpreter
    from export.quantize.tflite.model import TfliteModel

    content = path.read_bytes()
    model, running = TfliteModel(content), interpreter(content, keep_all=True)
    kernels = [
        int(operator.outputs[0])
        for operator in model.graph.operators
        if model.kind(operator) == "BATCH_MATMUL" and model.is_constant(int(operator.inputs[1]))
    ]
    details = {int(entry["index"]): entry for entry in running.get_tensor_details()}
    kernels = [index for index in kernels if details[index]["dtype"] is np.int8]
    feed, largest = int(running.get_input_details()[0]["index"]), 0.0
    for image in images:
        running.set_tensor(feed, np.ascontiguousarray(image.transpose(0, 2, 3, 1)))
        running.invoke()
        codes: list[npt.NDArray[Any]] = [running.get_tensor(index) for index in kernels]
        largest = max([largest, *(float(np.abs(code.astype(np.int64)).max()) for code in codes)])
    return len(kernels), largest
