"""Reads a .tflite file's graph straight from the flatbuffer: no LiteRT package, no weights in memory.

Field numbers: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from devices.latency.graph.graph import Operator, OperatorGraph, Tensor
from eamdeploy.base.errors import UsageError

# builtin codes, under the names ONNX uses where it has the operator
OPERATORS = {
    0: "Add", 1: "AveragePool", 2: "Concat", 3: "Conv", 4: "Depthwise", 5: "DepthToSpace", 6: "DequantizeLinear",
    9: "Gemm", 13: "LRN", 14: "Sigmoid", 17: "MaxPool", 18: "Mul", 19: "Relu", 20: "Clip", 21: "Clip", 22: "Reshape",
    23: "Resize", 25: "Softmax", 28: "Tanh", 34: "Pad", 36: "Gather", 39: "Transpose", 40: "ReduceMean", 41: "Sub",
    42: "Div",
    43: "Squeeze", 45: "Slice", 47: "Exp", 49: "Split", 53: "Cast", 54: "PRelu", 55: "Max", 57: "Min", 60: "Pad",
    65: "Slice", 67: "ConvTranspose", 70: "Unsqueeze", 74: "ReduceSum", 75: "Sqrt", 76: "Rsqrt", 77: "Shape",
    78: "Pow", 79: "Identity",
    82: "ReduceMax", 83: "Pack", 84: "OneHot", 88: "Unpack", 98: "LeakyRelu", 102: "Split", 107: "GatherND",
    114: "QuantizeLinear",    117: "HardSwish", 126: "MatMul", 130: "Expand", 150: "Gelu",
}  # fmt: skip
_BYTES = {0: 4, 1: 2, 2: 4, 3: 1, 4: 8, 6: 1, 7: 2, 9: 1, 10: 8, 12: 8, 15: 4, 16: 2, 17: 1}


class TfliteTable:
    """A flatbuffer table: fields by number."""

    def __init__(self, data: mmap.mmap, at: int) -> None:
        self.data, self.at = data, at
        self.vtable = at - struct.unpack_from("<i", data, at)[0]
        self.fields = struct.unpack_from("<H", data, self.vtable)[0] // 2 - 2

    def offset(self, number: int) -> int:
        """Where field `number` stands; 0 when it is absent."""
        if number >= self.fields:
            return 0
        position = int(struct.unpack_from("<H", self.data, self.vtable + 4 + 2 * number)[0])
        return self.at + position if position else 0

    def scalar(self, number: int, form: str, default: int = 0) -> int:
        """A number of struct format `form`."""
        at = self.offset(number)
        return int(struct.unpack_from("<" + form, self.data, at)[0]) if at else default

    def _indirect(self, at: int) -> int:
        return at + int(struct.unpack_from("<I", self.data, at)[0])

    def table(self, number: int) -> TfliteTable | None:
        """A nested table."""
        at = self.offset(number)
        return TfliteTable(self.data, self._indirect(at)) if at else None

    def tables(self, number: int) -> list[TfliteTable]:
        """A vector of tables."""
        at = self.offset(number)
        if not at:
            return []
        start = self._indirect(at)
        count = struct.unpack_from("<I", self.data, start)[0]
        return [TfliteTable(self.data, self._indirect(start + 4 + 4 * i)) for i in range(count)]

    def integers(self, number: int) -> tuple[int, ...]:
        """A vector of int32."""
        at = self.offset(number)
        if not at:
            return ()
        start = self._indirect(at)
        count = struct.unpack_from("<I", self.data, start)[0]
        return struct.unpack_from(f"<{count}i", self.data, start + 4)

    def length(self, number: int) -> int:
        """Entries of a vector."""
        at = self.offset(number)
        return int(struct.unpack_from("<I", self.data, self._indirect(at))[0]) if at else 0

    def text(self, number: int) -> str:
        """A string."""
        at = self.offset(number)
        if not at:
            return ""
        start = self._indirect(at)
        size = struct.unpack_from("<I", self.data, start)[0]
        return bytes(self.data[start + 4 : start + 4 + size]).decode(errors="replace")


def read_tflite(path: Path) -> OperatorGraph:
    """The main graph of a .tflite file.

    Raises:
        UsageError: when the file is no TFLite model.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if bytes(data[4:8]) != b"TFL3":
                raise ValueError("no TFL3 mark")
            return _graph(TfliteTable(data, struct.unpack_from("<I", data, 0)[0]))
    except (ValueError, IndexError, struct.error) as error:
        raise UsageError(
            "cannot read the TFLite file", where=path, why=f"damaged or not TFLite ({error})", hint="export it again"
        ) from error


def _graph(model: TfliteTable) -> OperatorGraph:
    codes = [max(code.scalar(0, "b"), code.scalar(3, "i")) for code in model.tables(1)]
    stored = [buffer.length(0) > 0 or buffer.scalar(1, "Q") > 1 for buffer in model.tables(4)]
    graph = model.tables(2)[0]
    tensors = [
        Tensor(
            t.text(3),
            tuple(d if d > 0 else 1 for d in t.integers(0)),
            _BYTES.get(t.scalar(1, "b"), 4),
            stored[t.scalar(2, "I")],
        )
        for t in graph.tables(0)
    ]
    operators = tuple(_operator(o, codes, tensors) for o in graph.tables(3))
    ends = [tuple(tensors[i] for i in graph.integers(n)) for n in (1, 2)]
    return OperatorGraph(operators, ends[0], ends[1], channels_last=True)


def _operator(table: TfliteTable, codes: list[int], tensors: list[Tensor]) -> Operator:
    code = codes[table.scalar(0, "I")]
    op = OPERATORS.get(code, f"Builtin{code}")
    inputs = tuple(tensors[i] for i in table.integers(1) if i >= 0)
    outputs = tuple(tensors[i] for i in table.integers(2) if i >= 0)
    options = table.table(4)
    kernel, stride, groups = 1, 1, 1
    if op in ("Conv", "Depthwise", "AveragePool", "MaxPool") and options is not None:
        stride = options.scalar(2, "i", 1)
    if op in ("AveragePool", "MaxPool") and options is not None:
        kernel = options.scalar(3, "i", 1) * options.scalar(4, "i", 1)
    if op in ("Conv", "Depthwise"):
        weight = inputs[1].shape
        kernel = weight[1] * weight[2]
        groups = inputs[0].shape[3] if op == "Depthwise" else max(1, inputs[0].shape[3] // weight[3])
    name = outputs[0].name if outputs else op
    return Operator(
        "Conv" if op == "Depthwise" else op,
        name,
        inputs=inputs,
        outputs=outputs,
        kernel=kernel,
        stride=stride,
        groups=groups,
    )
