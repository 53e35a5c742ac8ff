"""Small ONNX classifiers with every kind of head: 28x28 grey images, a matrix, and what the head adds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from eamdeploy.data.preprocessing import Preprocessing

PREPROCESSING = Preprocessing(size=28, mean=(0.286,), std=(0.353,), channels=1)
SAID = '{"size": 28, "mean": [0.286], "std": [0.353], "channels": 1}'
TAILS = {
    "logits": [],
    "probabilities": [helper.make_node("Softmax", ["logits"], ["out"], axis=1)],
    "sigmoids": [helper.make_node("Sigmoid", ["logits"], ["out"])],
    "ids": [helper.make_node("ArgMax", ["logits"], ["out"], axis=1, keepdims=0)],
    "maps": [helper.make_node("Reshape", ["logits", "map_shape"], ["out"])],
}


def matrix(width: int, seed: int = 0) -> np.ndarray:
    """The weights, (784, width), of one sign less than the other so that scores of both signs come out."""
    return (np.random.default_rng(seed).standard_normal((784, width)) / 9).astype(np.float32)


def classifier(path: Path, tail: str = "logits", *, width: int = 10, seed: int = 0, extra: bool = False) -> Path:
    """Write one; with ``extra`` its first output is another: the same scores, reversed."""
    constants = [
        numpy_helper.from_array(np.ones((1, 1, 1, 1), np.float32), "one"),
        numpy_helper.from_array(matrix(width, seed), "w"),
        numpy_helper.from_array(np.array([-1, width, 1, 1]), "map_shape"),
        numpy_helper.from_array(np.arange(width)[::-1].copy(), "reversed"),
    ]
    nodes = [
        helper.make_node("Conv", ["image", "one"], ["same"], kernel_shape=[1, 1]),
        helper.make_node("Flatten", ["same"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w"], ["logits"]),
        *TAILS[tail],
        helper.make_node("Gather", ["logits", "reversed"], ["backwards"], axis=1),
    ]
    kind = TensorProto.INT64 if tail == "ids" else TensorProto.FLOAT
    shape = {"ids": ["N"], "maps": ["N", width, 1, 1]}.get(tail, ["N", width])
    outputs = [helper.make_tensor_value_info("logits" if tail == "logits" else "out", kind, shape)]
    if extra:
        outputs.insert(0, helper.make_tensor_value_info("backwards", TensorProto.FLOAT, ["N", width]))
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 28, 28])],
        outputs,
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path
