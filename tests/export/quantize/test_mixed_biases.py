"""A convolution whose bias is mixed for each image as well is int8 under its guaranteed scale; the bias is added behind it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.quantize.onnx.quantizer import OnnxQuantizer
from runtimes.protocol import RuntimeOptions
from runtimes.registry import get_runtime


def mixed_network(path: Path, side: int = 12) -> Path:
    """Two mixed convolutions, biases mixed too; the weights are called as the quantizer calls its own.

    Of images of 3x3 the first makes maps of 1x1, from which the second's weights are computed without a pool.
    """
    rng = np.random.default_rng(0)
    arrays = {
        "fc": rng.standard_normal((3, 4)) * 3,
        "fc2": rng.standard_normal((8, 4)),
        "b1": rng.standard_normal((4, 8 * 3 * 9)) * 0.3,
        "c1": rng.standard_normal((4, 8)),
        "b2": rng.standard_normal((4, 16 * 8 * 9)) * 0.1,
        "c2": rng.standard_normal((4, 16)),
        "head": rng.standard_normal((16, 5)),
    }
    shapes = {"s1": [8, 3, 3, 3], "s2": [16, 8, 3, 3], "flat": [-1], "row": [1, -1]}
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Reshape", ["pooled", "row"], ["features"]),
        helper.make_node("MatMul", ["features", "fc"], ["logits"], name="a.attention/MatMul"),
        helper.make_node("Softmax", ["logits"], ["a/alpha"], name="a.attention/Softmax"),
    ]
    source, alpha = "image", "a/alpha"
    for layer, index in (("a", 1), ("b", 2)):
        if layer == "b" and side == 3:
            alpha = "b/alpha"
            nodes += [
                helper.make_node("Reshape", [source, "row"], ["b/features"]),
                helper.make_node("MatMul", ["b/features", "fc2"], ["b/logits"], name="b.attention/MatMul"),
                helper.make_node("Softmax", ["b/logits"], [alpha], name="b.attention/Softmax"),
            ]
        edge = [0 if layer == "a" and side == 3 else 1] * 4
        nodes += [
            helper.make_node("MatMul", [alpha, f"b{index}"], [f"{layer}/m"], name=f"{layer}.bank/MatMul"),
            helper.make_node("Reshape", [f"{layer}/m", f"s{index}"], [f"{layer}/k"], name=f"{layer}/Reshape"),
            helper.make_node("MatMul", [alpha, f"c{index}"], [f"{layer}/cm"], name=f"{layer}/MatMul"),
            helper.make_node("Reshape", [f"{layer}/cm", "flat"], [f"{layer}/c"], name=f"{layer}/Reshape_2"),
            helper.make_node(
                "Conv", [source, f"{layer}/k", f"{layer}/c"], [f"{layer}/y"], name=f"{layer}/Conv", pads=edge
            ),
            helper.make_node("Relu", [f"{layer}/y"], [f"{layer}/r"], name=f"{layer}/Relu"),
        ]
        source = f"{layer}/r"
    nodes += [
        helper.make_node("GlobalAveragePool", [source], ["end"]),
        helper.make_node("Reshape", ["end", "row"], ["last"]),
        helper.make_node("MatMul", ["last", "head"], ["scores"], name="head/MatMul"),
    ]
    constants = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in arrays.items()]
    constants += [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in shapes.items()]
    graph = helper.make_graph(
        nodes,
        "mixed",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 5])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize("side", [12, 3])
def test_a_layer_with_a_mixed_bias_is_int8(tmp_path: Path, side: int) -> None:
    path = mixed_network(tmp_path / "net.onnx", side)
    rng = np.random.default_rng(1)
    images = [rng.standard_normal((1, 3, side, side)).astype(np.float32) for _ in range(16)]
    quantizer = OnnxQuantizer(path)
    quantizer.calibrate(images, "minmax")
    written = quantizer.write(tmp_path / "int8.onnx", "int8")
    assert {"a", "b"} <= {*written.int8_layers}
    assert min(quantizer.layer_snr_db(tmp_path / "int8.onnx", images).values()) > 25
    kinds = [node.op_type for node in onnx.load(str(tmp_path / "int8.onnx")).graph.node]
    assert kinds.count("MatMulInteger") == 2
    exact, rounded = (
        np.concatenate([get_runtime("onnxruntime").load(file, RuntimeOptions()).run(image)[0] for image in images])
        for file in (path, tmp_path / "int8.onnx")
    )
    assert np.square(exact - rounded).sum() < 0.003 * np.square(exact - exact.mean(0)).sum()
