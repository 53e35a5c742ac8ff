"""Which operator an output of an artifact comes from, with neither onnx nor a runtime: what it means depends on it."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from runtimes.readers.flatbuffer import root_table
from runtimes.readers.metadata import protobuf_fields

_GRAPH, _NODE, _INPUT, _OUTPUT, _KIND = 7, 1, 1, 2, 4  # ModelProto.graph; GraphProto.node; NodeProto
# operators that change the form of values and not what they mean
_MOVES = {
    "Cast", "DequantizeLinear", "Flatten", "Identity", "QuantizeLinear", "Reshape", "Squeeze", "Transpose", "Unsqueeze",
}  # fmt: skip
# BuiltinOperator of TFLite's schema, by the names that ONNX has for the same
_TFLITE = {
    0: "Add", 3: "Conv", 6: "DequantizeLinear", 9: "Gemm", 14: "Sigmoid", 22: "Reshape", 25: "Softmax", 39: "Transpose",
    43: "Squeeze", 48: "TopK", 50: "LogSoftmax", 53: "Cast", 56: "ArgMax", 114: "QuantizeLinear", 126: "MatMul",
}  # fmt: skip


def final_operator(path: Path, output: str) -> str | None:
    """The ONNX name of the operator that computes ``output``, looking through those that only move values.

    ``None`` where the format, or the file, does not tell; ``""`` for an operator that has no name here.
    """
    try:
        if path.suffix.lower() == ".onnx":
            makers = _onnx(path)
        elif path.suffix.lower() == ".tflite":
            makers = _tflite(path)
        else:
            return None
    except (OSError, ValueError, IndexError, struct.error):
        return None
    name, visited_names = output, set[str]()
    while name in makers and name not in visited_names:
        visited_names.add(name)
        kind, first = makers[name]
        if kind not in _MOVES:
            return kind
        name = first
    return None if name == output else ""


def _onnx(path: Path) -> dict[str, tuple[str, str]]:
    """Tensor to the operator that makes it and that operator's first input."""
    makers: dict[str, tuple[str, str]] = {}
    with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for number, start, end in protobuf_fields(data, 0, len(data)):
            if number != _GRAPH:
                continue
            for field, first, last in protobuf_fields(data, start, end):
                if field != _NODE:
                    continue
                parts: dict[int, list[str]] = {}
                for key, low, high in protobuf_fields(data, first, last):
                    if key in (_INPUT, _OUTPUT, _KIND):
                        parts.setdefault(key, []).append(bytes(data[low:high]).decode())
                kind, inputs = parts.get(_KIND, [""])[0], parts.get(_INPUT, [""])
                makers.update(dict.fromkeys(parts.get(_OUTPUT, []), (kind, inputs[0])))
    return makers


def _tflite(path: Path) -> dict[str, tuple[str, str]]:
    """The same of a flatbuffer's first subgraph."""
    data = path.read_bytes()
    if data[4:8] != b"TFL3":
        raise ValueError("it does not start like a .tflite file")
    model = root_table(data)
    codes = [max(code.number(0, "b"), code.number(3, "i")) for code in model.tables(1)]
    graph = next(iter(model.tables(2)))
    names = [tensor.text(3) for tensor in graph.tables(0)]
    makers: dict[str, tuple[str, str]] = {}
    for operator in graph.tables(3):
        inputs = [index for index in operator.integers(1) if index >= 0]
        kind = _TFLITE.get(codes[operator.number(0, "I")], "")
        for index in operator.integers(2):
            makers[names[index]] = (kind, names[inputs[0]] if inputs else "")
    return makers
