"""Small classifiers that are right on the embedded images: one matrix, fitted to them, with two outputs, and edits of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from eamdeploy.data import embedded_sample
from eamdeploy.data.preprocessing import Preprocessing

PREPROCESSING = Preprocessing(size=28, mean=(0.286,), std=(0.353,), channels=1)
Edit = Callable[[Any], None]


@cache
def weights() -> np.ndarray:
    """(784, 10): a ridge regression of the classes on the embedded images."""
    sample = embedded_sample()
    pictures = np.stack([PREPROCESSING.apply(sample.image(index)).reshape(-1) for index in range(len(sample))])
    target_weights = 4.0 * np.eye(10)[[sample.label(index) for index in range(len(sample))]] - 1.0
    solved = np.linalg.solve(pictures.T @ pictures + 20.0 * np.eye(784), pictures.T @ target_weights)
    return solved.astype(np.float32)


def write(path: Path, edit: Edit | None = None, *, opset: int = 17, names: str = "") -> Path:
    """Write the classifier: ``image`` to ``logits`` and, as a second output, ``embedding``.

    Args:
        edit: changes the model before it is written.
        opset: of the default domain.
        names: put before every inner name.
    """
    constants = {"one": np.ones((1, 1, 1, 1), np.float32), "w": weights(), "bias": np.zeros(10, np.float32)}
    constants["narrow"] = (weights()[:, :4] * 3).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["image", f"{names}one"], [f"{names}same"], kernel_shape=[1, 1]),
        helper.make_node("Flatten", [f"{names}same"], [f"{names}flat"]),
        helper.make_node("Gemm", [f"{names}flat", f"{names}w", f"{names}bias"], ["logits"]),
        helper.make_node("MatMul", [f"{names}flat", f"{names}narrow"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 28, 28])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 4]),
        ],
        [numpy_helper.from_array(value, f"{names}{name}") for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    if edit is not None:
        edit(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    return path


def on(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Edit:
    """An edit of one constant."""

    def edit(model: Any) -> None:
        tensor = next(tensor for tensor in model.graph.initializer if tensor.name.endswith(name))
        value = np.asarray(change(numpy_helper.to_array(tensor).copy()), dtype=np.float32)
        tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))

    return edit


def exchanged(model: Any) -> None:
    """The outputs' names exchanged."""
    other = {"logits": "embedding", "embedding": "logits"}
    for node in model.graph.node:
        node.output[:] = [other.get(name, name) for name in node.output]


def dropped(index: int) -> Edit:
    """An edit that leaves out one output."""

    def edit(model: Any) -> None:
        del model.graph.output[index]

    return edit


def reordered(model: Any) -> None:
    """The outputs, the constants in another order: the same function."""
    first = model.graph.output[0]
    model.graph.output.append(first)
    del model.graph.output[0]
    constants = list(model.graph.initializer)
    del model.graph.initializer[:]
    model.graph.initializer.extend(reversed(constants))


def softmaxed(temperature: float) -> Edit:
    """The scores as probabilities of a temperature."""

    def edit(model: Any) -> None:
        for node in model.graph.node:
            node.output[:] = ["raw" if name == "logits" else name for name in node.output]
        model.graph.initializer.append(numpy_helper.from_array(np.float32(1 / temperature), "sharpness"))
        model.graph.node.append(helper.make_node("Mul", ["raw", "sharpness"], ["sharp"]))
        model.graph.node.append(helper.make_node("Softmax", ["sharp"], ["logits"], axis=1))

    return edit
