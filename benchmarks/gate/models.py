"""Two real models: ten convolutions, and the same with an eleventh, which is a slowdown of a tenth."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS = 24
PIXELS = 24
LAYERS = 10


def plain_network(layers: int = LAYERS) -> bytes:
    """An ONNX model of ``layers`` 3x3 convolutions of equal size with seeded weights."""
    random = np.random.default_rng(0)
    nodes, constants, name = [], [], "input"
    for index in range(layers):
        weight = random.standard_normal((CHANNELS, CHANNELS, 3, 3)) * np.sqrt(2 / (9 * CHANNELS))
        constants.append(numpy_helper.from_array(weight.astype(np.float32), f"weight{index}"))
        nodes.append(
            helper.make_node("Conv", [name, f"weight{index}"], [f"conv{index}"], kernel_shape=[3, 3], pads=[1] * 4)
        )
        nodes.append(helper.make_node("Relu", [f"conv{index}"], [f"relu{index}"]))
        name = f"relu{index}"
    shape = [1, CHANNELS, PIXELS, PIXELS]
    graph = helper.make_graph(
        nodes,
        "plain",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
