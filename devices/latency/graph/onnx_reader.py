"""Reads an .onnx file's graph straight from the protobuf: no onnx package, no weights in memory.

Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Shapes come from the file's own value_info;
only a file without them needs the onnx package, for its shape inference.
"""

from __future__ import annotations

import importlib.util
import math
import mmap
from collections.abc import Iterator
from pathlib import Path

from devices.latency.graph.graph import Operator, OperatorGraph, Tensor
from devices.latency.graph.onnx_quantized import as_float, quantized_shapes
from eamdeploy.base.errors import MissingDependency, UsageError

Buffer = mmap.mmap | bytes
# ONNX Runtime's blocked layout, which its builds for x86-64 alone have, and whose operators say no shapes
_BLOCKED_DOMAIN = "com.microsoft.nchwc"
_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2, 21: 1, 22: 1}
Shape = tuple[int, ...]


def read_onnx(path: Path) -> OperatorGraph:
    """The graph of an .onnx file.

    Raises:
        UsageError: when the file is no ONNX model, or one for x86-64 hosts alone.
        MissingDependency: when it has no shapes and the onnx package, which could infer them, is not installed.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _graph(data, path)
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise UsageError(
            "cannot read the ONNX file", where=path, why=f"damaged or not ONNX ({error})", hint="export it again"
        ) from error


def _graph(data: Buffer, path: Path) -> OperatorGraph:
    spans = [(start, end) for number, _, start, end in fields(data, 0, len(data)) if number == 7]
    if not spans:
        raise ValueError("no graph inside")
    known_values: dict[str, tuple[Shape, int]] = {}
    constant: set[str] = set()
    inputs, outputs, nodes = [], [], []
    for number, _, start, end in fields(data, *spans[0]):
        if number == 1:
            nodes.append((start, end))
        elif number == 5:
            name, shape, size = _initializer(data, start, end)
            known_values[name] = (shape, size)
            constant.add(name)
        elif number in (11, 12, 13):
            name, value_shape, size = _value_info(data, start, end)
            if number == 11:
                inputs.append(name)
            elif number == 12:
                outputs.append(name)
            if value_shape is not None and name not in constant:
                known_values[name] = (value_shape, size)
    if any(_domain(data, start, end) == _BLOCKED_DOMAIN for start, end in nodes):
        raise UsageError(
            "the file is planned for an x86-64 host",
            where=path,
            why="its convolutions are in ONNX Runtime's blocked layout, which no board has",
            hint="export the network for the board, with `device`, and estimate that file",
        )
    parsed = [_node(data, start, end) for start, end in nodes]
    for op, _, _, output_names, _, value in parsed:
        if op == "Constant" and output_names:
            constant.add(output_names[0])
            known_values.setdefault(output_names[0], value)
    known_values.update(quantized_shapes([name for node in parsed for name in node[3]], known_values))
    missing = {name for op, _, _, output_names, _, _ in parsed for name in output_names[:1] if name not in known_values}
    if missing:
        known_values.update(_inferred_shapes(path))
    tensors: dict[str, Tensor] = {}

    def tensor(name: str) -> Tensor:
        if name not in tensors:
            shape, size = known_values.get(name, ((), 4))
            tensors[name] = Tensor(name, shape, size, name in constant)
        return tensors[name]

    operators = tuple(
        Operator(
            op,
            name,
            inputs=tuple(tensor(n) for n in used if n),
            outputs=tuple(tensor(n) for n in output_names if n),
            kernel=_kernel(op, attributes, used, known_values),
            stride=attributes.get("strides", (1,))[0],
            groups=attributes.get("group", (1,))[0],
        )
        for op, name, used, output_names, attributes, _ in parsed
        if op != "Constant"
    )
    fed = tuple(tensor(n) for n in inputs if n not in constant)
    return OperatorGraph(operators, fed, tuple(tensor(n) for n in outputs), channels_last=False)


def _kernel(op: str, attributes: dict[str, Shape], used: list[str], known_values: dict[str, tuple[Shape, int]]) -> int:
    if "kernel_shape" in attributes:
        return math.prod(attributes["kernel_shape"])
    if op == "Conv" and len(used) > 1 and used[1] in known_values:
        return math.prod(known_values[used[1]][0][2:])
    return 1


def fields(data: Buffer, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """(field number, varint value, payload start, payload end) of each field of a message."""
    at = start
    while at < end:
        tag, at = varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = varint(data, at)
            yield number, value, at, at
        elif wire == 2:
            size, at = varint(data, at)
            if at + size > end:
                raise ValueError("a field runs past its message")
            yield number, 0, at, at + size
            at += size
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")


def varint(data: Buffer, at: int) -> tuple[int, int]:
    """(value, next position) of a base-128 integer."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("an integer without end")


def _text(data: Buffer, start: int, end: int) -> str:
    return bytes(data[start:end]).decode()


def _integers(data: Buffer, value: int, start: int, end: int) -> list[int]:
    """One repeated integer field: packed or not."""
    if start == end:
        return [value]
    out = []
    while start < end:
        number, start = varint(data, start)
        out.append(number)
    return out


def _initializer(data: Buffer, start: int, end: int) -> tuple[str, Shape, int]:
    name, shape, kind = "", [], 1
    for number, value, first, last in fields(data, start, end):
        if number == 1:
            shape += _integers(data, value, first, last)
        elif number == 2:
            kind = value
        elif number == 8:
            name = _text(data, first, last)
    return name, tuple(shape), _BYTES.get(kind, 4)


def _value_info(data: Buffer, start: int, end: int) -> tuple[str, Shape | None, int]:
    name, shape, kind = "", None, 1
    for number, _, first, last in fields(data, start, end):
        if number == 1:
            name = _text(data, first, last)
        elif number == 2:
            for inner, _, a, b in fields(data, first, last):
                if inner == 1:  # a tensor
                    for part, value, c, d in fields(data, a, b):
                        if part == 1:
                            kind = value
                        elif part == 2:
                            shape = tuple(_dimension(data, e, f) for n, _, e, f in fields(data, c, d) if n == 1)
    return name, shape, _BYTES.get(kind, 4)


def _dimension(data: Buffer, start: int, end: int) -> int:
    return next((value for number, value, _, _ in fields(data, start, end) if number == 1), 1) or 1


def _domain(data: Buffer, start: int, end: int) -> str:
    return next((_text(data, first, last) for number, _, first, last in fields(data, start, end) if number == 7), "")


def _node(
    data: Buffer, start: int, end: int
) -> tuple[str, str, list[str], list[str], dict[str, Shape], tuple[Shape, int]]:
    op, name, used, output_names = "", "", [], []
    attributes: dict[str, Shape] = {}
    value_of: tuple[Shape, int] = ((), 4)
    for number, _, first, last in fields(data, start, end):
        if number == 1:
            used.append(_text(data, first, last))
        elif number == 2:
            output_names.append(_text(data, first, last))
        elif number == 3:
            name = _text(data, first, last)
        elif number == 4:
            op = _text(data, first, last)
        elif number == 5:
            key, integers = "", []
            for inner, value, a, b in fields(data, first, last):
                if inner == 1:
                    key = _text(data, a, b)
                elif inner in (3, 8):
                    integers += _integers(data, value, a, b)
                elif inner == 5:
                    _, shape, size = _initializer(data, a, b)
                    value_of = (shape, size)
            attributes[key] = tuple(integers)
    op, used = as_float(op, used)
    return op, name, used, output_names, {k: v for k, v in attributes.items() if v}, value_of


def _inferred_shapes(path: Path) -> dict[str, tuple[Shape, int]]:
    if importlib.util.find_spec("onnx") is None:
        raise MissingDependency(
            "the ONNX file does not hold its tensors' shapes",
            where=path,
            why="the onnx package would infer them and is not installed",
            hint="pip install onnx, or export again with eamdeploy",
        )
    import onnx

    try:
        model = onnx.shape_inference.infer_shapes(onnx.load(str(path), load_external_data=False))
    except Exception as error:  # protobuf's and onnx's own errors have no common kind
        raise UsageError("the ONNX file's shapes cannot be inferred", where=path, why=str(error)[:300]) from error
    return {
        v.name: (
            tuple(d.dim_value or 1 for d in v.type.tensor_type.shape.dim),
            _BYTES.get(v.type.tensor_type.elem_type, 4),
        )
        for v in (*model.graph.value_info, *model.graph.output)
    }
