"""Reads an ncnn network's graph from its ``.param`` file; shapes follow from the input's, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from devices.latency.graph.graph import Operator, OperatorGraph, Tensor
from eamdeploy.base.errors import UsageError
from runtimes.readers.ncnn_file import NcnnLayer, Parameter, read_param

Shape = tuple[int, ...]
# ncnn's layers under the names ONNX uses
OPERATORS = {
    "AbsVal": "Abs", "BatchNorm": "BatchNormalization", "Clip": "Clip", "Concat": "Concat", "Convolution": "Conv",
    "ConvolutionDepthWise": "Conv", "Crop": "Slice", "CumulativeSum": "CumSum", "Dropout": "Identity", "Flatten": "Reshape",
    "Gemm": "MatMul", "HardSigmoid": "HardSigmoid", "HardSwish": "HardSwish", "InnerProduct": "Gemm", "MatMul": "MatMul",
    "Noop": "Identity", "Padding": "Pad", "Permute": "Transpose", "Pooling": "AveragePool", "ReLU": "Relu",
    "Reduction": "ReduceMean", "Reshape": "Reshape", "Sigmoid": "Sigmoid", "Slice": "Split", "Softmax": "Softmax",
    "Split": "Identity", "Swish": "Swish", "TanH": "Tanh",
}  # fmt: skip
_BINARY = {0: "Add", 1: "Sub", 2: "Mul", 3: "Div", 7: "Sub", 8: "Div"}
_FLOAT_BYTES = 4


def read_ncnn(path: Path) -> OperatorGraph:
    """The graph of a .param file.

    Raises:
        UsageError: it is none, has no sizes, or has a layer whose output size is not known here.
    """
    param = read_param(path)
    tensors: dict[str, Tensor] = {}
    operators: list[Operator] = []
    for layer in param.layers:
        if layer.kind in ("Input", "MemoryData"):
            tensors[layer.outputs[0]] = Tensor(
                layer.outputs[0], (1, *_declared(layer)), _FLOAT_BYTES, layer.kind == "MemoryData"
            )
            continue
        inputs = tuple(tensors[blob] for blob in layer.inputs)
        try:
            shapes = _output_shapes(layer, [tensor.shape[1:] for tensor in inputs])
        except (IndexError, KeyError, ZeroDivisionError) as error:
            raise UsageError("a layer's size is not known", where=path, why=f"{layer.kind} {layer.name}") from error
        outputs = tuple(
            Tensor(blob, (1, *shape), _FLOAT_BYTES, False) for blob, shape in zip(layer.outputs, shapes, strict=True)
        )
        tensors.update({tensor.name: tensor for tensor in outputs})
        operators.append(_operator(layer, inputs, outputs))
    first = tuple(tensors[layer.outputs[0]] for layer in param.inputs)
    last = tuple(tensors[blob] for blob in param.outputs if blob in tensors)
    return OperatorGraph(tuple(operators), first, last, channels_last=False)


def _operator(layer: NcnnLayer, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Operator:
    parameters = layer.parameters
    constants = _weights(layer, inputs)
    if layer.kind == "BinaryOp":
        return Operator(_BINARY.get(_integer(parameters, 0), "Max"), layer.name, inputs, outputs)
    kind = OPERATORS.get(layer.kind, layer.kind)
    if layer.kind in ("Convolution", "ConvolutionDepthWise"):
        # a computed kernel is the second input already; its blob has no batch
        operands = tuple(
            Tensor(tensor.name, tensor.shape[1:], tensor.element_bytes, tensor.constant) if index == 1 else tensor
            for index, tensor in enumerate(inputs)
        )
        return Operator(
            kind,
            layer.name,
            (*operands, *constants),
            outputs,
            kernel=_integer(parameters, 1, 1),
            stride=_integer(parameters, 3, 1),
            groups=_integer(parameters, 7, 1),
        )
    return Operator(kind, layer.name, (*inputs, *constants), outputs)


def _weights(layer: NcnnLayer, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What a layer keeps in the .bin file, by the sizes among its parameters."""
    parameters = layer.parameters
    if layer.kind in ("Convolution", "ConvolutionDepthWise") and not _integer(parameters, 19):
        outputs, height, width = _integer(parameters, 0), *_kernel(parameters)
        depth = _integer(parameters, 6) // max(1, outputs * height * width)
        return (Tensor(f"{layer.name}/weight", (outputs, depth, height, width), _FLOAT_BYTES, True),)
    if layer.kind == "InnerProduct":
        outputs = _integer(parameters, 0)
        return (Tensor(f"{layer.name}/weight", (_integer(parameters, 2) // outputs, outputs), _FLOAT_BYTES, True),)
    if layer.kind == "Gemm" and _integer(parameters, 5):
        shape = (_integer(parameters, 9), _integer(parameters, 8))
        return (Tensor(f"{layer.name}/weight", shape, _FLOAT_BYTES, True),)
    del inputs
    return ()


def _output_shapes(layer: NcnnLayer, inputs: list[Shape]) -> list[Shape]:
    parameters, kind = layer.parameters, layer.kind
    if kind in ("Convolution", "ConvolutionDepthWise"):
        height, width = _kernel(parameters)
        return [(_integer(parameters, 0), *_windows(inputs[0], parameters, height, width))]
    if kind == "Pooling":
        if _integer(parameters, 4):
            return [inputs[0][:1]]
        height, width = _integer(parameters, 11, _integer(parameters, 1)), _integer(parameters, 1)
        return [
            (inputs[0][0], *_windows(inputs[0], parameters, height, width, stride_ids=(12, 2), pad_ids=(13, 15, 3, 14)))
        ]
    if kind == "InnerProduct":
        return [(_integer(parameters, 0),)]
    if kind in ("Gemm", "MatMul"):
        return [_product(parameters if kind == "Gemm" else {}, inputs)]
    if kind == "Reshape":
        return [_reshaped(parameters, inputs[0])]
    if kind == "Flatten":
        return [(math.prod(inputs[0]),)]
    if kind == "Crop":
        return [_cropped(parameters, inputs[0])]
    if kind == "Concat":
        axis = _integer(parameters, 0)
        joined = list(inputs[0])
        joined[axis] = sum(shape[axis] for shape in inputs)
        return [tuple(joined)]
    if kind == "Slice":
        axis, lengths = _integer(parameters, 1), _integers(parameters, 0)
        return [tuple(n if i == axis else size for i, size in enumerate(inputs[0])) for n in lengths]
    if kind == "Padding":
        top, bottom, left, right = (_integer(parameters, key) for key in range(4))
        return [(inputs[0][0], inputs[0][1] + top + bottom, inputs[0][2] + left + right)]
    if kind == "Reduction":
        axes = _integers(parameters, 3)
        keeps_dims = _integer(parameters, 4)
        return [tuple(1 if i in axes else n for i, n in enumerate(inputs[0]) if keeps_dims or i not in axes) or (1,)]
    if kind == "BinaryOp" and len(inputs) > 1:
        return [max(inputs, key=math.prod)]
    return [inputs[0]] * len(layer.outputs)


def _windows(
    shape: Shape,
    parameters: Mapping[int, Parameter],
    height: int,
    width: int,
    *,
    stride_ids: tuple[int, int] = (13, 3),
    pad_ids: tuple[int, int, int, int] = (14, 16, 4, 15),
) -> Shape:
    across = _integer(parameters, stride_ids[1], 1)
    down = _integer(parameters, stride_ids[0], across)
    top, bottom, left, right = (_integer(parameters, key) for key in pad_ids)
    spread = _integer(parameters, 2, 1) if stride_ids[1] == 3 else 1
    tall, wide = spread * (height - 1) + 1, spread * (width - 1) + 1
    return ((shape[1] + top + bottom - tall) // down + 1, (shape[2] + left + right - wide) // across + 1)


def _product(parameters: Mapping[int, Parameter], inputs: list[Shape]) -> Shape:
    if _integer(parameters, 5):
        return (inputs[0][0] if len(inputs[0]) > 1 else 1, _integer(parameters, 8))
    left, right = inputs[0], inputs[1]
    if _integer(parameters, 11):
        return (left[0], 1, right[-1])
    return (*max(left[:-2], right[:-2], key=len), left[-2], right[-1])


def _reshaped(parameters: Mapping[int, Parameter], shape: Shape) -> Shape:
    target_shape = [_integer(parameters, key) for key in (2, 11, 1, 0) if key in parameters]
    if -1 in target_shape:
        known_size = math.prod(size for size in target_shape if size != -1)
        target_shape = [math.prod(shape) // known_size if size == -1 else size for size in target_shape]
    return tuple(target_shape)


def _cropped(parameters: Mapping[int, Parameter], shape: Shape) -> Shape:
    sizes = list(shape)
    for start, end, axis in zip(*(_integers(parameters, key) for key in (9, 10, 11)), strict=True):
        sizes[axis] = min(end, shape[axis]) - start
    return tuple(sizes)


def _declared(layer: NcnnLayer) -> Shape:
    return tuple(_integer(layer.parameters, key) for key in (2, 11, 1, 0) if layer.parameters.get(key))


def _kernel(parameters: Mapping[int, Parameter]) -> tuple[int, int]:
    width = _integer(parameters, 1, 1)
    return _integer(parameters, 11, width), width


def _integer(parameters: Mapping[int, Parameter], key: int, default: int = 0) -> int:
    value = parameters.get(key, default)
    return int(value) if not isinstance(value, tuple) else default


def _integers(parameters: Mapping[int, Parameter], key: int) -> tuple[int, ...]:
    value = parameters.get(key, ())
    return tuple(int(part) for part in value) if isinstance(value, tuple) else (int(value),)
