"""One small classifier in the forms in which other people's exporters write it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


@dataclass(frozen=True)
class Form:
    """What differs; the scores do not.

    Attributes:
        dtype: of the input; uint8 and float16 are cast to float32 inside.
        layout: of the input.
        ir, opset: versions of the file.
        maps: whether the scores come as (N, C, 1, 1).
        half: whether weights and arithmetic are float16.
        external: whether the weights lie in a file of their own.
    """

    dtype: int = TensorProto.FLOAT
    layout: str = "NCHW"
    ir: int = 8
    opset: int = 17
    maps: bool = False
    half: bool = False
    external: bool = False


def write(path: Path, form: Form, batch: int | str = "N") -> Path:
    """conv, ReLU, average pool, conv, ReLU, global pool, and a matrix or a 1x1 convolution."""
    rng = np.random.default_rng(0)
    constants: list[onnx.TensorProto] = []

    def weight(name: str, *shape: int) -> str:
        values = rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
        constants.append(numpy_helper.from_array(values.astype(np.float16 if form.half else np.float32), name))
        return name

    nodes, x = [], "image"
    if form.dtype != TensorProto.FLOAT and not form.half:
        nodes.append(helper.make_node("Cast", [x], ["cast"], to=TensorProto.FLOAT))
        x = "cast"
    if form.layout == "NHWC":
        nodes.append(helper.make_node("Transpose", [x], ["first"], perm=[0, 3, 1, 2]))
        x = "first"
    if form.dtype == TensorProto.UINT8:
        constants.append(numpy_helper.from_array(np.float32(1 / 255), "scale"))
        nodes.append(helper.make_node("Mul", [x, "scale"], ["scaled"]))
        x = "scaled"
    kernel = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes += [
        helper.make_node("Conv", [x, weight("w1", 16, 1, 3, 3), weight("b1", 16)], ["c1"], **kernel),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("AveragePool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p1", weight("w2", 32, 16, 3, 3), weight("b2", 32)], ["c2"], **kernel),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("GlobalAveragePool", ["r2"], ["pooled"]),
    ]
    if form.maps:
        nodes.append(helper.make_node("Conv", ["pooled", weight("w3", 10, 32, 1, 1), weight("b3", 10)], ["scores"]))
    else:
        nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"]))
        nodes.append(helper.make_node("Gemm", ["flat", weight("w3", 10, 32), weight("b3", 10)], ["scores"], transB=1))
    sides = [1, 28, 28] if form.layout == "NCHW" else [28, 28, 1]
    inputs = [helper.make_tensor_value_info("image", form.dtype, [batch, *sides])]
    if form.ir < 4:
        inputs += [
            helper.make_tensor_value_info(constant.name, constant.data_type, list(constant.dims))
            for constant in constants
        ]
    shape = [batch, 10, 1, 1] if form.maps else [batch, 10]
    kind = TensorProto.FLOAT16 if form.half else TensorProto.FLOAT
    outputs = [helper.make_tensor_value_info("scores", kind, shape)]
    graph = helper.make_graph(nodes, "foreign", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", form.opset)], ir_version=form.ir)
    if form.external:
        onnx.save(model, str(path), save_as_external_data=True, location=f"{path.stem}.bin", size_threshold=64)
    else:
        onnx.save(model, str(path))
    return path
