"""Both readers against files written by the formats' own libraries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from devices.latency.graph.extract import extract_features
from devices.latency.graph.onnx_reader import read_onnx
from devices.latency.graph.tflite_reader import read_tflite
from eamdeploy.base.errors import UsageError


def small_onnx(path: Path, *, shapes: bool = True, dynamic: bool = False) -> Path:
    rng = np.random.default_rng(0)
    weights = {
        "w1": rng.normal(size=(8, 3, 3, 3)),
        "w2": rng.normal(size=(8, 1, 3, 3)),
        "w3": rng.normal(size=(16, 8, 1, 1)),
        "w4": rng.normal(size=(16, 5)),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], name="stem/Conv", strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], name="stem/Relu"),
        helper.make_node("Conv", ["b", "w2"], ["c"], name="dw/Conv", group=8, pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["c", "w3"], ["d"], name="pw/Conv"),
        helper.make_node("GlobalAveragePool", ["d"], ["e"], name="pool"),
        helper.make_node("Flatten", ["e"], ["f"], name="flat"),
        helper.make_node("MatMul", ["f", "w4"], ["y"], name="head/MatMul"),
    ]
    batch = "batch" if dynamic else 1
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 5])],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    model = onnx.shape_inference.infer_shapes(model) if shapes else model
    onnx.save(model, path)
    return path


def test_a_file_for_an_x86_host_is_no_boards(tmp_path: Path) -> None:
    """ONNX Runtime's blocked convolutions have no shapes to read, and no board has them."""
    model = onnx.load(small_onnx(tmp_path / "m.onnx", shapes=False))
    model.graph.node[0].domain = "com.microsoft.nchwc"
    onnx.save(model, tmp_path / "host.onnx")
    with pytest.raises(UsageError, match=r"planned for an x86-64 host .*blocked layout.*`device`"):
        extract_features(tmp_path / "host.onnx")


@pytest.mark.parametrize("shapes", [True, False])
@pytest.mark.parametrize("dynamic", [True, False])
def test_onnx_counts_are_those_of_the_arithmetic(tmp_path: Path, shapes: bool, dynamic: bool) -> None:
    features = extract_features(small_onnx(tmp_path / "m.onnx", shapes=shapes, dynamic=dynamic))
    by_kind = {r.kind: r for r in features.records}
    assert by_kind["full"].macs == 8 * 3 * 9 * 16 * 16
    assert by_kind["depthwise"].macs == 8 * 9 * 16 * 16
    assert by_kind["pointwise"].macs == 8 * 16 * 16 * 16
    assert by_kind["fc"].macs == 16 * 5
    assert by_kind["pool"].inputs == 16 * 16 * 16
    assert len(features.records) == 5  # ReLU and Flatten cost nothing of their own
    assert features.input_px == 32
    assert by_kind["full"].stride == 2


@pytest.mark.slow
def test_onnx_reader_agrees_with_the_onnx_package(tmp_path: Path, export_network) -> None:
    path = export_network(conv="eam", lowering="aggregate")
    graph, model = read_onnx(path), onnx.load(str(path))
    assert [o.op for o in graph.operators] == [n.op_type for n in model.graph.node if n.op_type != "Constant"]
    assert [o.name for o in graph.operators] == [n.name for n in model.graph.node if n.op_type != "Constant"]
    dims = {t.name: tuple(t.dims) for t in model.graph.initializer}
    for v in (*model.graph.value_info, *model.graph.output):
        dims[v.name] = tuple(d.dim_value for d in v.type.tensor_type.shape.dim)
    for operator in graph.operators:
        for tensor in (*operator.outputs, *operator.constants):
            assert tensor.shape == dims[tensor.name]


def small_tflite(path: Path) -> Path:
    """Convolution (stride 2), depthwise, add, fully connected; written with the schema's own classes."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as s

    model, graph = s.ModelT(), s.SubGraphT()
    model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [graph], [s.BufferT()], []
    graph.tensors, graph.operators = [], []

    def tensor(name: str, shape: list[int], *, constant: bool = False, kind: int = s.TensorType.FLOAT32) -> int:
        t = s.TensorT()
        t.name, t.shape, t.type, t.buffer = name.encode(), shape, kind, 0
        if constant:
            buffer = s.BufferT()
            buffer.data = np.zeros(int(np.prod(shape)) * (1 if kind == s.TensorType.INT8 else 4), np.uint8)
            model.buffers.append(buffer)
            t.buffer = len(model.buffers) - 1
        graph.tensors.append(t)
        return len(graph.tensors) - 1

    def operator(code: int, inputs: list[int], outputs: list[int], kind: int = 0, options: object = None) -> None:
        c = s.OperatorCodeT()
        c.builtinCode, c.deprecatedBuiltinCode = code, min(code, 127)
        model.operatorCodes.append(c)
        o = s.OperatorT()
        o.opcodeIndex, o.inputs, o.outputs = len(model.operatorCodes) - 1, inputs, outputs
        o.builtinOptionsType, o.builtinOptions = kind, options
        graph.operators.append(o)

    x = tensor("input", [1, 32, 32, 3])
    a, b, c = tensor("stem/conv", [1, 16, 16, 8]), tensor("dw/conv", [1, 16, 16, 8]), tensor("add", [1, 16, 16, 8])
    y = tensor("scores", [1, 5])
    conv, dw = s.Conv2DOptionsT(), s.DepthwiseConv2DOptionsT()
    conv.strideH = conv.strideW = 2
    dw.strideH = dw.strideW = dw.depthMultiplier = 1
    op, kinds = s.BuiltinOperator, s.BuiltinOptions
    w1, w2 = tensor("w1", [8, 3, 3, 3], constant=True), tensor("w2", [1, 3, 3, 8], constant=True)
    w3 = tensor("w3", [5, 2048], constant=True)
    operator(op.CONV_2D, [x, w1, -1], [a], kinds.Conv2DOptions, conv)
    operator(op.DEPTHWISE_CONV_2D, [a, w2, -1], [b], kinds.DepthwiseConv2DOptions, dw)
    operator(op.ADD, [a, b], [c])
    operator(op.FULLY_CONNECTED, [c, w3, -1], [y])
    graph.inputs, graph.outputs = [x], [y]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(builder.Output())
    return path


def test_tflite_counts_are_those_of_the_arithmetic(tmp_path: Path) -> None:
    records = extract_features(small_tflite(tmp_path / "m.tflite")).records
    assert [r.kind for r in records] == ["full", "depthwise", "elementwise", "fc"]
    assert [r.macs for r in records] == [8 * 27 * 256, 8 * 9 * 256, 0, 5 * 2048]
    assert records[0].stride == 2
    assert records[2].inputs == 2 * 8 * 256


@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
@pytest.mark.parametrize("content", [b"", b"not a model at all", b"\x08\x01" * 40, bytes(range(256)) * 8])
def test_a_damaged_file_is_a_usage_error(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="broken"):
        extract_features(path)


@pytest.mark.parametrize("part", [0.3, 0.7, 0.95])
def test_a_truncated_file_is_a_usage_error(tmp_path: Path, part: float) -> None:
    for whole in (small_onnx(tmp_path / "w.onnx"), small_tflite(tmp_path / "w.tflite")):
        cut = tmp_path / f"cut{whole.suffix}"
        content = whole.read_bytes()
        cut.write_bytes(content[: int(len(content) * part)])
        with pytest.raises(UsageError):
            extract_features(cut)
    assert read_tflite(tmp_path / "w.tflite").operators
