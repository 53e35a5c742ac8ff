"""Read a .tflite file's operators with the standard library alone.

The FlatBuffers layout (https://flatbuffers.dev/internals/) of TFLite's schema
(https://github.com/tensorflow/tensorflow/blob/master/tensorflow/lite/schema/schema.fbs); field numbers are those of the
schema. A board has no package that could do it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from eamdeploy.base.errors import UsageError

FLOAT32, INT8 = 0, 9  # TensorType
FULLY_CONNECTED = 9  # BuiltinOperator


@dataclass(frozen=True)
class TfliteTensor:
    """A tensor: its ``TensorType`` and the number of its scales (0: not quantized, more than 1: per channel)."""

    type: int
    scales: int


@dataclass(frozen=True)
class TfliteOperator:
    """An operator: ``BuiltinOperator`` code, version, and its inputs; None for one that is left out."""

    code: int
    version: int
    inputs: tuple[TfliteTensor | None, ...]


def read_operators(path: Path) -> list[TfliteOperator]:
    """The operators of all subgraphs, in order.

    Raises:
        UsageError: the file is not a TFLite flatbuffer, or is cut off.
    """
    data = path.read_bytes()
    try:
        if data[4:8] != b"TFL3":
            raise ValueError("it does not start like a .tflite file")
        return list(_operators(_Table(data, struct.unpack_from("<I", data)[0])))
    except (struct.error, ValueError, IndexError) as error:
        raise UsageError("not a TFLite file", where=path, why=error) from error


def _operators(model: _Table) -> list[TfliteOperator]:
    codes = [
        # older files keep the code in a byte, newer ones in an integer beside it: the larger one holds
        (max(code.number(0, "b"), code.number(3, "i")), code.number(2, "i", 1))
        for code in model.tables(1)
    ]
    found = []
    for graph in model.tables(2):
        tensors = [_tensor(table) for table in graph.tables(0)]
        for operator in graph.tables(3):
            code, version = codes[operator.number(0, "I")]
            inputs = tuple(tensors[index] if index >= 0 else None for index in operator.integers(1))
            found.append(TfliteOperator(code, version, inputs))
    return found


def _tensor(table: _Table) -> TfliteTensor:
    quantization = table.table(4)
    return TfliteTensor(table.number(1, "b"), quantization.length(2) if quantization else 0)


class _Table:
    """A FlatBuffers table at a position."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data, self._position = data, position
        self._vtable = position - struct.unpack_from("<i", data, position)[0]
        self._size = struct.unpack_from("<H", data, self._vtable)[0]

    def number(self, field: int, kind: str, default: int = 0) -> int:
        """A scalar field."""
        at = self._at(field)
        return default if at is None else int(struct.unpack_from("<" + kind, self._data, at)[0])

    def table(self, field: int) -> _Table | None:
        """A table field."""
        at = self._at(field)
        return None if at is None else _Table(self._data, self._follow(at))

    def tables(self, field: int) -> list[_Table]:
        """A vector of tables."""
        start, count = self._vector(field)
        return [_Table(self._data, self._follow(start + 4 * index)) for index in range(count)]

    def integers(self, field: int) -> tuple[int, ...]:
        """A vector of 32-bit integers."""
        start, count = self._vector(field)
        return struct.unpack_from(f"<{count}i", self._data, start)

    def length(self, field: int) -> int:
        """The length of a vector."""
        return self._vector(field)[1]

    def _at(self, field: int) -> int | None:
        entry = 4 + 2 * field
        if entry >= self._size:
            return None
        offset = struct.unpack_from("<H", self._data, self._vtable + entry)[0]
        return self._position + offset if offset else None

    def _follow(self, at: int) -> int:
        return at + int(struct.unpack_from("<I", self._data, at)[0])

    def _vector(self, field: int) -> tuple[int, int]:
        at = self._at(field)
        if at is None:
            return 0, 0
        start = self._follow(at)
        return start + 4, int(struct.unpack_from("<I", self._data, start)[0])
