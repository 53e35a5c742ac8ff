"""Each operator of the ncnn writer against ONNX Runtime, on a graph of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from eamdeploy.base.errors import UsageError
from eamdeploy.networks.layers.pooling import average_matrix
from export.ncnn.conversion import Conversion
from export.ncnn.operators import selection
from runtimes.protocol import RuntimeOptions
from runtimes.readers.ncnn_file import read_param
from runtimes.registry import get_runtime

CHANNELS, SIDE = 24, 10
RNG = np.random.default_rng(0)


def _model(nodes, constants, output_shape):
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, CHANNELS, SIDE, SIDE])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, output_shape)],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def _floats(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def _node(kind, inputs, outputs=("scores",), **attributes):
    return helper.make_node(kind, list(inputs), list(outputs), name=f"{kind}/{outputs[0]}", **attributes)


MAP = [1, CHANNELS, SIDE, SIDE]
CASES = {
    "convolution with activation": (
        [_node("Conv", ["input", "w", "b"], ["y"], kernel_shape=[3, 3], pads=[0, 0, 1, 1], strides=[2, 2]),
         _node("Relu", ["y"])],
        {"w": _floats(8, CHANNELS, 3, 3), "b": _floats(8)},
        [1, 8, 5, 5],
    ),
    "depthwise convolution, uneven stride": (
        [_node("Conv", ["input", "w"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 2], group=CHANNELS)],
        {"w": _floats(CHANNELS, 1, 3, 3)},
        [1, CHANNELS, SIDE, 5],
    ),
    "gather of scattered channels": (
        [_node("Gather", ["input", "index"], axis=1)],
        {"index": np.array([17, 3, 4, 20, 0])},
        [1, 5, SIDE, SIDE],
    ),
    "the average of cells of a map": (
        [_node("MatMul", ["input", "columns"], ["tall"]), _node("MatMul", ["rows", "tall"])],
        {"columns": average_matrix(SIDE, 4).numpy().T.copy(), "rows": average_matrix(SIDE, 3).numpy()},
        [1, CHANNELS, 3, 4],
    ),
    "the average of cells of scattered channels": (
        [_node("Gather", ["input", "index"], ["chosen"], axis=1), _node("MatMul", ["chosen", "columns"], ["tall"]),
         _node("MatMul", ["rows", "tall"])],
        {"columns": average_matrix(SIDE, 4).numpy().T.copy(), "rows": average_matrix(SIDE, 3).numpy(),
         "index": np.array([17, 3, 4, 20, 0])},
        [1, 5, 3, 4],
    ),
    "two products that are no average": (
        [_node("Gather", ["input", "index"], ["chosen"], axis=1), _node("MatMul", ["chosen", "columns"], ["tall"]),
         _node("MatMul", ["rows", "tall"])],
        {"columns": _floats(SIDE, 4), "rows": average_matrix(SIDE, 3).numpy(), "index": np.array([17, 3, 4, 20, 0])},
        [1, 5, 3, 4],
    ),
    "gather of rows, one twice": (
        [_node("Gather", ["input", "index"], axis=2)],
        {"index": np.array([0, 1, 1, 2, 9])},
        [1, CHANNELS, 5, SIDE],
    ),
    "a computed kernel": (
        [_node("ReduceMean", ["input", "axes"], ["mean"], keepdims=0),
         _node("MatMul", ["mean", "bank"], ["mixed"]),
         _node("Add", ["mixed", "last"], ["kernel"]),
         _node("Reshape", ["kernel", "shape"], ["weight"]),
         _node("Conv", ["input", "weight", "bias"], ["y"], kernel_shape=[1, 1]),
         _node("Clip", ["y", "low", "high"])],
        {"axes": np.array([2, 3]), "bank": _floats(CHANNELS, 8 * CHANNELS), "last": _floats(8 * CHANNELS),
         "shape": np.array([8, CHANNELS, 1, 1]), "bias": _floats(8), "low": np.float32(0), "high": np.float32(6)},
        [1, 8, SIDE, SIDE],
    ),
    "a product of a computed matrix and a map": (
        [_node("ReduceMean", ["input", "axes"], ["mean"], keepdims=0),
         _node("MatMul", ["mean", "bank"], ["mixed"]),
         _node("Reshape", ["mixed", "square"], ["matrix"]),
         _node("Reshape", ["input", "flat"], ["columns"]),
         _node("MatMul", ["matrix", "columns"], ["product"]),
         _node("Reshape", ["product", "map"])],
        {"axes": np.array([2, 3]), "bank": _floats(CHANNELS, 8 * CHANNELS), "square": np.array([1, 8, CHANNELS]),
         "flat": np.array([1, CHANNELS, -1]), "map": np.array([1, 8, SIDE, SIDE])},
        [1, 8, SIDE, SIDE],
    ),
    "a linear layer of a map": (
        [_node("Reshape", ["input", "row"], ["flat"]), _node("Gemm", ["flat", "w", "b"], ["y"], transB=1), _node("Relu", ["y"])],
        {"row": np.array([1, -1]), "w": _floats(6, CHANNELS * SIDE * SIDE) / SIDE, "b": _floats(6)},
        [1, 6],
    ),
    "channels scaled": (
        [_node("ReduceMean", ["input", "axes"], ["mean"], keepdims=1),
         _node("HardSigmoid", ["mean"], ["gate"], alpha=1 / 6, beta=0.5),
         _node("Mul", ["input", "gate"])],
        {"axes": np.array([2, 3])},
        MAP,
    ),
    "parts scaled by parts of a vector": (
        [_node("ReduceMean", ["input", "axes"], ["mean"], keepdims=0),
         _node("MatMul", ["mean", "w"], ["logits"]), _node("Softmax", ["logits"], ["alpha"], axis=1),
         _node("Reshape", ["alpha", "shape"], ["column"]), _node("Split", ["column"], ["a", "b"], axis=1, num_outputs=2),
         _node("Mul", ["input", "a"], ["x"]), _node("Mul", ["input", "b"], ["y"]), _node("Sub", ["x", "y"])],
        {"axes": np.array([2, 3]), "w": _floats(CHANNELS, 2), "shape": np.array([1, 2, 1, 1])},
        MAP,
    ),
    "border, then the maximum of windows": (
        [_node("Pad", ["input", "pads"], ["x"]), _node("MaxPool", ["x"], kernel_shape=[3, 4], strides=[3, 4])],
        {"pads": np.array([0, 0, 0, 1, 0, 0, 2, 1])},
        [1, CHANNELS, 4, 3],
    ),
    "first largest of a block": (
        [_node("ReduceMean", ["input", "axes"], ["mean"], keepdims=0),
         _node("ReduceMax", ["mean", "one"], ["top"], keepdims=1), _node("Sub", ["mean", "top"], ["d"]),
         _node("CumSum", ["d", "one0"], ["c"]), _node("Slice", ["c", "start", "end", "one"])],
        {"axes": np.array([2, 3]), "one": np.array([1]), "one0": np.array(1), "start": np.array([3]), "end": np.array([9])},
        [1, 6],
    ),
    "an order of its own": (
        [_node("Transpose", ["input"], perm=[0, 2, 3, 1])], {}, [1, SIDE, SIDE, CHANNELS],
    ),
    "a number less a map, divided": (
        [_node("Sub", ["two", "input"], ["x"]), _node("Div", ["x", "three"])],
        {"two": np.float32(2), "three": np.float32(3)},
        MAP,
    ),
}  # fmt: skip


@pytest.mark.parametrize("window", [4, 16])
@pytest.mark.parametrize("case", CASES)
def test_an_operator_computes_what_onnx_computes(case, window, tmp_path: Path):
    nodes, constants, shape = CASES[case]
    model = _model(nodes, constants, shape)
    onnx.checker.check_model(model)
    path = tmp_path / "net.ncnn.param"
    Conversion(model, channel_window=window).run().write(path, outputs=["scores"])
    image = _floats(1, CHANNELS, SIDE, SIDE)
    session = get_runtime("ncnn").load(path, RuntimeOptions())
    output = session.raw_run({"input": image})[0]
    session.close()
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"input": image})[0]
    np.testing.assert_allclose(output.reshape(expected.shape), expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(("pick_up_to", "kinds"), [(0, {"Crop", "Concat"}), (selection.PICK_UP_TO, {"Convolution"})])
@pytest.mark.parametrize("case", ["gather of scattered channels", "the average of cells of scattered channels"])
def test_channels_of_a_small_map_are_picked_by_a_convolution(case, pick_up_to, kinds, monkeypatch, tmp_path: Path):
    monkeypatch.setattr(selection, "PICK_UP_TO", pick_up_to)
    test_an_operator_computes_what_onnx_computes(case, 4, tmp_path)
    layers = {layer.kind for layer in read_param(tmp_path / "net.ncnn.param").layers}
    assert layers - {"Input", "Split", "Pooling"} == kinds


def test_a_linear_layer_takes_a_map_as_it_is():
    nodes, constants, shape = CASES["a linear layer of a map"]
    layers = [layer.kind for layer, _ in Conversion(_model(nodes, constants, shape), channel_window=4).run().layers]
    assert layers == ["Input", "InnerProduct"]


def test_a_computed_kernel_never_meets_float16_arithmetic():
    nodes, constants, shape = CASES["a computed kernel"]
    network = Conversion(_model(nodes, constants, shape), channel_window=4).run()
    (layer,) = [layer for layer, _ in network.layers if layer.kind == "Convolution"]
    assert layer.parameters[31] == 1  # ncnn's mask of features that a layer does without
    nodes, constants, shape = CASES["convolution with activation"]
    network = Conversion(_model(nodes, constants, shape), channel_window=4).run()
    assert all(31 not in layer.parameters for layer, _ in network.layers)


def test_an_average_of_cells_is_one_layer():
    nodes, constants, shape = CASES["the average of cells of a map"]
    layers = [layer.kind for layer, _ in Conversion(_model(nodes, constants, shape), channel_window=4).run().layers]
    assert layers == ["Input", "Pooling"]


def test_an_operator_that_ncnn_has_not_is_refused():
    model = _model([_node("Sin", ["input"])], {}, MAP)
    with pytest.raises(UsageError, match="no operator for ONNX's Sin"):
        Conversion(model, channel_window=4).run()


def test_a_gather_by_computed_indices_is_refused():
    nodes = [
        _node("ReduceMean", ["input", "axes"], ["mean"], keepdims=0),
        _node("ArgMax", ["mean"], ["index"], axis=1, keepdims=0),
        _node("Gather", ["input", "index"], axis=1),
    ]
    model = _model(nodes, {"axes": np.array([2, 3])}, [1, 1, SIDE, SIDE])
    with pytest.raises(UsageError):
        Conversion(model, channel_window=4).run()
