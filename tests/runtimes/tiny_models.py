"""Small real artifacts for tests, made with the formats' own classes: quick, and nothing of ours in between."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES = ("t-shirt", "trouser", "pullover")


def reference(weights, images):
    """What the tiny network computes, in float64: a 1x1 convolution, ReLU, mean over the map, a matrix."""
    first, last = (np.asarray(each, np.float64) for each in weights)
    maps = np.maximum(np.einsum("oc,bchw->bohw", first, images.astype(np.float64)), 0)
    return maps.mean(axis=(2, 3)) @ last


def weights(channels=3, hidden=4, classes=3, seed=0):
    generator = np.random.default_rng(seed)
    return (
        generator.standard_normal((hidden, channels)).astype(np.float32),
        generator.standard_normal((hidden, classes)).astype(np.float32),
    )


def write_onnx(path: Path, *, batch=1, px=8, layers=0, width=8, metadata=None, channels=3, classes=3) -> tuple:
    """An .onnx of the network above; ``layers`` more 3x3 convolutions with random weights make it slower."""
    generator = np.random.default_rng(1)
    first, last = weights(channels=channels, classes=classes)
    tensors = [
        numpy_helper.from_array(first[:, :, None, None], "w0"),
        numpy_helper.from_array(last, "w1"),
    ]
    nodes = [
        helper.make_node("Conv", ["input", "w0"], ["c"], "first"),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("ReduceMean", ["r", "axes"], ["m"], "mean", keepdims=0),
        helper.make_node("MatMul", ["m", "w1"], ["logits"], "last"),
    ]
    tensors.append(numpy_helper.from_array(np.asarray([2, 3], np.int64), "axes"))
    current, count = "input", channels
    extra = []
    for layer in range(layers):
        kernel = generator.standard_normal((width, count, 3, 3)).astype(np.float32) * 0.1
        tensors.append(numpy_helper.from_array(kernel, f"k{layer}"))
        extra.append(helper.make_node("Conv", [current, f"k{layer}"], [f"e{layer}"], f"extra{layer}", pads=[1] * 4))
        current, count = f"e{layer}", width
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, classes])]
    if layers:
        outputs.append(helper.make_tensor_value_info(current, TensorProto.FLOAT, [batch, width, px, px]))
    graph = helper.make_graph(
        extra + nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, channels, px, px])],
        outputs,
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    if metadata is not None:
        helper.set_model_props(model, {"other": "x", "eamdeploy": json.dumps(metadata)})
    onnx.save(model, path)
    return first, last


def write_tflite(path: Path, *, px=8, metadata=None, version=1, hybrid=False) -> tuple:
    """The same network as .tflite, NHWC, written with the schema's own classes; ``version`` of its FULLY_CONNECTED.

    ``hybrid``: the last weights are int8 with a scale per class, its input stays float.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    first, last = weights()
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.description, model.subgraphs = 3, "tiny", [graph]
    model.buffers = [schema.BufferT()]
    graph.tensors, graph.operators, graph.name = [], [], "main"

    def tensor(name, shape, kind=schema.TensorType.FLOAT32, data=None):
        buffer = schema.BufferT()
        buffer.data = None if data is None else np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
        model.buffers.append(buffer)
        entry = schema.TensorT()
        entry.name, entry.shape, entry.type, entry.buffer = (
            name,
            list(shape),
            kind,
            len(model.buffers) - 1,
        )
        graph.tensors.append(entry)
        return len(graph.tensors) - 1

    def operator(kind, inputs, outputs, options_type, options, *, at_version=1):
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = kind, kind, at_version
        model.operatorCodes = [*(model.operatorCodes or []), code]
        operator_table = schema.OperatorT()
        operator_table.opcodeIndex, operator_table.inputs, operator_table.outputs = (
            len(model.operatorCodes) - 1,
            inputs,
            outputs,
        )
        operator_table.builtinOptionsType, operator_table.builtinOptions = options_type, options
        graph.operators.append(operator_table)

    image = tensor("input", (1, px, px, 3))
    kernel = tensor("w0", (4, 1, 1, 3), data=first[:, None, None, :])
    bias = tensor("b0", (4,), data=np.zeros(4, np.float32))
    maps = tensor("maps", (1, px, px, 4))
    axes = tensor("axes", (2,), schema.TensorType.INT32, np.asarray([1, 2], np.int32))
    mean = tensor("mean", (1, 4))
    if hybrid:
        scales = np.abs(last).max(axis=0) / 127
        stored = np.rint(last / scales).astype(np.int8)
        last = (stored * scales).astype(np.float32)
        matrix = tensor("w1", (3, 4), schema.TensorType.INT8, stored.T)
        graph.tensors[matrix].quantization = schema.QuantizationParametersT()
        graph.tensors[matrix].quantization.scale = scales.astype(np.float32)
        graph.tensors[matrix].quantization.zeroPoint = np.zeros(3, np.int64)
    else:
        matrix = tensor("w1", (3, 4), data=last.T)
    logits = tensor("logits", (1, 3))
    convolution = schema.Conv2DOptionsT()
    convolution.strideH = convolution.strideW = convolution.dilationHFactor = convolution.dilationWFactor = 1
    convolution.fusedActivationFunction = schema.ActivationFunctionType.RELU
    kinds, options = schema.BuiltinOperator, schema.BuiltinOptions
    operator(kinds.CONV_2D, [image, kernel, bias], [maps], options.Conv2DOptions, convolution)
    operator(kinds.MEAN, [maps, axes], [mean], options.ReducerOptions, schema.ReducerOptionsT())
    full = schema.FullyConnectedOptionsT()
    operator(
        kinds.FULLY_CONNECTED, [mean, matrix, -1], [logits], options.FullyConnectedOptions, full, at_version=version
    )
    graph.inputs, graph.outputs = [image], [logits]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    if metadata is not None:
        append_metadata(path, metadata)
    return first, last


def append_metadata(path: Path, metadata) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("eamdeploy.json", json.dumps(metadata))


def metadata(px=8, **more):
    return {
        "schema_version": 1,
        "name": "tiny",
        "format": "onnx",
        "precision": "fp32",
        "classes": list(CLASSES),
        "input_layout": "NCHW",
        "preprocessing": {"size": px, "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.3]},
        **more,
    }
