"""Reads an MNN network's graph from its ``.mnn`` file; shapes follow from the input's, operator by operator.

Field numbers: https://github.com/alibaba/MNN/tree/master/schema/default.
MNN computes indices and shapes when it prepares a network;
here they are computed too, and count as constants.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from devices.latency.graph.graph import Operator, OperatorGraph, Tensor
from eamdeploy.base.errors import UsageError
from runtimes.readers.flatbuffer import FlatbufferTable, root_table

Shape = tuple[int, ...]
Integers = npt.NDArray[np.int64]
# OpType under the names ONNX uses where it has the operator
OPERATORS = {
    7: "BinaryOp", 9: "Cast", 10: "Concat", 11: "Const", 12: "Conv", 13: "Conv", 28: "Flatten", 31: "Gather", 34: "Input",
    39: "MatMul", 45: "Pad", 46: "Transpose", 47: "AveragePool", 66: "Rank", 68: "ReduceMean", 69: "Relu", 70: "Clip",
    73: "Reshape", 80: "Shape", 81: "Sigmoid", 83: "Split", 84: "Slice", 85: "Softmax", 90: "Squeeze", 91: "Slice",
    95: "Tanh", 100: "Transpose", 101: "Unary", 106: "MatMul", 107: "Unsqueeze", 129: "Transpose",
}  # fmt: skip
_BINARY = {0: "Add", 1: "Sub", 2: "Mul", 3: "Div", 7: "Div", 8: "Min", 9: "Max"}
_COMPUTE: dict[int, Callable[[Integers, Integers], Integers]] = {
    0: np.add,
    1: np.subtract,
    2: np.multiply,
    17: np.mod,
    19: np.mod,
}
_SQUEEZE, _UNSQUEEZE, _PERMUTE, _TRANSPOSE, _SLICE_TF, _CONVERT = 90, 107, 46, 100, 84, 129
_SAME, _VALID = 2, 1  # PadMode
_FLOAT_BYTES = 4


class _Graph:
    """Tensors by index while the operators are gone through in order."""

    def __init__(self, root: FlatbufferTable) -> None:
        self.names = root.texts(7)
        self.tensors: dict[int, Tensor] = {}
        self.values: dict[int, Integers] = {}
        self.operators: list[Operator] = []
        self.inputs: list[Tensor] = []
        for entry in root.tables(3):
            self._add(entry)

    def _add(self, entry: FlatbufferTable) -> None:
        code, at, out = entry.number(5, "i"), entry.integers(0), entry.integers(4)
        op, options = OPERATORS.get(code), entry.table(2)
        inputs = [self.tensors[index] for index in at if index >= 0]
        try:
            if op in ("Input", "Const") and options is not None:
                self._source(op, options, out[0])
                return
            if op is None:
                raise KeyError(f"OpType {code}")
            input_values = [self.values.get(index) for index in at]
            value = _value(code, options, inputs, input_values)
            shapes = [value.shape] if value is not None else _shapes(code, options, inputs, input_values, len(out))
        except (IndexError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise UsageError("an operator's size is not known", why=f"{entry.text(3)}: {error}") from error
        outputs = [
            Tensor(self.names[index], shape, _FLOAT_BYTES, value is not None)
            for index, shape in zip(out, shapes, strict=True)
        ]
        self.tensors.update(zip(out, outputs, strict=True))
        if value is not None:
            self.values[out[0]] = value
        else:
            self.operators.append(_operator(op, entry.text(3), options, inputs, outputs))

    def _source(self, op: str, options: FlatbufferTable, index: int) -> None:
        tensor = Tensor(self.names[index], options.integers(0), _FLOAT_BYTES, op == "Const")
        self.tensors[index] = tensor
        if op == "Input":
            self.inputs.append(tensor)
        elif len(options.integers(5)) == tensor.size:
            self.values[index] = np.array(options.integers(5), dtype=np.int64).reshape(tensor.shape)


def read_mnn(path: Path) -> OperatorGraph:
    """The graph of a .mnn file.

    Raises:
        UsageError: it is none, or has an operator whose output size is not known here.
    """
    try:
        graph = _Graph(root_table(path.read_bytes()))
    except (struct.error, IndexError, ValueError) as error:
        raise UsageError("not an MNN file", where=path, why=error, hint="export it again") from error
    input_names = {tensor.name for operator in graph.operators for tensor in operator.inputs}
    last = tuple(t for operator in graph.operators for t in operator.outputs if t.name not in input_names)
    return OperatorGraph(tuple(graph.operators), tuple(graph.inputs), last, channels_last=False)


def _value(
    code: int, options: FlatbufferTable | None, inputs: Sequence[Tensor], input_values: Sequence[Integers | None]
) -> Integers | None:
    """What an operator of sizes and indices gives; None where it computes on maps."""
    op = OPERATORS[code]
    if op == "Shape":
        return np.array(inputs[0].shape, dtype=np.int64)
    if op == "Rank":
        return np.array(len(inputs[0].shape), dtype=np.int64)
    have = [value for value in input_values if value is not None]
    if not have or len(have) < len(input_values):
        return None
    if op == "BinaryOp":
        return np.asarray(_COMPUTE[0 if options is None else options.number(0, "i")](have[0], have[1]))
    if op == "Cast":
        return have[0]
    if code in (_SQUEEZE, _UNSQUEEZE, 73):
        return have[0].reshape(_shapes(code, options, inputs, input_values, 1)[0])
    if op == "Slice" and code != _SLICE_TF:
        return np.asarray(have[0][tuple(slice(*each) for each in zip(*have[1:4], strict=True))])
    if op == "Gather":
        return np.asarray(np.take(have[0], have[1], axis=int(have[2]) if len(have) > 2 else 0))
    if op == "Concat":
        return np.concatenate(have)
    return None


def _shapes(
    code: int,
    options: FlatbufferTable | None,
    inputs: Sequence[Tensor],
    input_values: Sequence[Integers | None],
    count: int,
) -> list[Shape]:
    op, first = OPERATORS[code], inputs[0].shape
    if op == "Conv":
        common = _common(options)
        outputs = common.number(10, "i") or inputs[1].shape[0]
        return [(first[0], outputs, *_windows(first, common))]
    if op == "AveragePool":
        if options is None or options.number(2, "b"):
            return [(*first[:2], 1, 1)]
        return [(*first[:2], *_pooled(first, options))]
    if op == "MatMul":
        return [_product(code, options, first, inputs[1].shape)]
    if op in ("Reshape", "Flatten"):
        target_shape = (
            tuple(int(n) for n in input_values[1]) if len(input_values) > 1 and input_values[1] is not None else ()
        )
        return [_reshaped(first, target_shape or (options.integers(0) if options is not None else ()))]
    if op == "ReduceMean":
        return [_reduced(first, options, input_values)]
    if op in ("Squeeze", "Unsqueeze"):
        axes = options.integers(0) if options is not None else ()
        reduced_axes = input_values[1] if len(input_values) > 1 else None
        return [
            _squeezed(first, axes or ([] if reduced_axes is None else [int(n) for n in reduced_axes.reshape(-1)]), op)
        ]
    if op == "Gather":
        axis = int(input_values[2]) if len(input_values) > 2 and input_values[2] is not None else 0
        return [(*first[:axis], *inputs[1].shape, *first[axis % len(first) + 1 :])]
    if op == "Concat":
        axis = (options.number(0, "i") if options is not None else 0) % len(first)
        return [(*first[:axis], sum(t.shape[axis] for t in inputs), *first[axis + 1 :])]
    if op in ("Split", "Slice", "Pad") or code in (_PERMUTE, _TRANSPOSE):
        return _moved(code, options, first, input_values, count)
    if op == "BinaryOp":
        return [tuple(np.broadcast_shapes(first, inputs[1].shape))]
    return [first] * count


def _moved(
    code: int, options: FlatbufferTable | None, shape: Shape, input_values: Sequence[Integers | None], count: int
) -> list[Shape]:
    """Of operators that only take parts, add borders or change the order of dimensions."""
    op, values = OPERATORS[code], [v for v in input_values[1:] if v is not None]
    if op == "Transpose":
        order = options.integers(0) if code == _PERMUTE and options is not None else values[0]
        return [tuple(shape[int(axis)] for axis in order)]
    if op == "Pad":
        pads = values[0].reshape(-1, 2).sum(1)
        return [tuple(n + int(p) for n, p in zip(shape, pads, strict=True))]
    if code == _SLICE_TF:
        return [tuple(int(n) if n >= 0 else whole for n, whole in zip(values[1], shape, strict=True))]
    if op == "Slice":
        parts = [len(range(*slice(*each).indices(n))) for n, *each in zip(shape, *values[:3], strict=False)]
        return [(*parts, *shape[len(parts) :])]
    axis = (options.number(0, "i") if options is not None else 0) % len(shape)
    sizes = options.integers(1) if options is not None else ()
    if len(sizes) != count:  # one number says how many parts, as where a grouped convolution becomes one for each group
        sizes = (shape[axis] // count,) * count
    return [(*shape[:axis], n, *shape[axis + 1 :]) for n in sizes]


def _common(options: FlatbufferTable | None) -> FlatbufferTable:
    common = options.table(0) if options is not None else None
    if common is None:
        raise KeyError("a convolution without sizes")
    return common


def _windows(shape: Shape, common: FlatbufferTable) -> Shape:
    kernel = common.number(3, "i", 1), common.number(2, "i", 1)
    stride = common.number(5, "i", 1), common.number(4, "i", 1)
    spread = common.number(7, "i", 1), common.number(6, "i", 1)
    mode, pads = common.number(8, "b"), common.integers(14)
    if mode == _SAME:
        return tuple(-(-n // s) for n, s in zip(shape[2:], stride, strict=True))
    across, down = common.number(0, "i"), common.number(1, "i")
    border = (0, 0) if mode == _VALID else (2 * down, 2 * across)
    if len(pads) == 4:
        border = pads[0] + pads[2], pads[1] + pads[3]
    return tuple(
        (n + b - d * (k - 1) - 1) // s + 1
        for n, b, d, k, s in zip(shape[2:], border, spread, kernel, stride, strict=True)
    )


def _pooled(shape: Shape, options: FlatbufferTable) -> Shape:
    kernel = options.number(4, "i"), options.number(3, "i")
    stride = options.number(6, "i"), options.number(5, "i")
    pads, mode = options.integers(11), options.number(8, "b")
    if mode == _SAME:
        return tuple(-(-n // s) for n, s in zip(shape[2:], stride, strict=True))
    across, down = options.number(0, "i"), options.number(1, "i")
    border = (pads[0] + pads[2], pads[1] + pads[3]) if len(pads) == 4 else (2 * down, 2 * across)
    up = options.number(10, "b", 1)
    return tuple(
        (n + b - k + (s - 1 if up else 0)) // s + 1
        for n, b, k, s in zip(shape[2:], border, kernel, stride, strict=True)
    )


def _product(code: int, options: FlatbufferTable | None, first: Shape, second: Shape) -> Shape:
    fields = (1, 2) if code == 39 else (0, 1)
    turned = [bool(options.number(field, "b")) if options is not None else False for field in fields]
    rows = first[-1] if turned[0] else first[-2]
    columns = second[-2] if turned[1] else second[-1]
    return (*np.broadcast_shapes(first[:-2], second[:-2]), rows, columns)


def _reshaped(shape: Shape, target_shape: Sequence[int]) -> Shape:
    sizes = [shape[i] if n == 0 else n for i, n in enumerate(target_shape)]
    if -1 in sizes:
        rest = math.prod(n for n in sizes if n != -1)
        sizes[sizes.index(-1)] = math.prod(shape) // rest
    return tuple(sizes)


def _reduced(shape: Shape, options: FlatbufferTable | None, input_values: Sequence[Integers | None]) -> Shape:
    reduced_axes = input_values[1] if len(input_values) > 1 else None
    axes = [int(n) for n in reduced_axes.reshape(-1)] if reduced_axes is not None else []
    axes = axes or list(options.integers(1) if options is not None else ())
    gone = {axis % len(shape) for axis in axes} or set(range(len(shape)))
    keeps_dims = bool(options.number(3, "b")) if options is not None else False
    return tuple(1 if i in gone else n for i, n in enumerate(shape) if keeps_dims or i not in gone)


def _squeezed(shape: Shape, axes: Sequence[int], op: str) -> Shape:
    if op == "Squeeze":
        gone = {axis % len(shape) for axis in axes} if axes else {i for i, n in enumerate(shape) if n == 1}
        return tuple(n for i, n in enumerate(shape) if i not in gone)
    sizes = list(shape)
    for axis in sorted(axis % (len(shape) + len(axes)) for axis in axes):
        sizes.insert(axis, 1)
    return tuple(sizes)


def _operator(
    op: str, name: str, options: FlatbufferTable | None, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> Operator:
    if op == "BinaryOp":
        return Operator(
            _BINARY.get(0 if options is None else options.number(0, "i"), "Max"), name, tuple(inputs), tuple(outputs)
        )
    if op == "Conv":
        common = _common(options)
        down, across = common.number(3, "i", 1), common.number(2, "i", 1)
        channels, groups = inputs[0].shape[1], common.number(9, "i", 1)
        operands = list(inputs)
        if len(operands) < 2:
            shape = (outputs[0].shape[1], channels // groups, down, across)
            operands.append(Tensor(f"{name}/weight", shape, _FLOAT_BYTES, True))
        return Operator(
            op,
            name,
            tuple(operands),
            tuple(outputs),
            kernel=down * across,
            stride=common.number(4, "i", 1),
            groups=groups,
        )
    kernel = stride = 1
    if op == "AveragePool" and options is not None and not options.number(2, "b"):
        kernel, stride = options.number(4, "i") * options.number(3, "i"), options.number(5, "i")
    return Operator(op, name, tuple(inputs), tuple(outputs), kernel=kernel, stride=stride)
