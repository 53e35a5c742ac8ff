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
from runtimes.readers.flatbuffer import FlatbufferTable, root_table

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
        return list(_operators(root_table(data)))
    except (struct.error, ValueError, IndexError) as error:
        raise UsageError("not a TFLite file", where=path, why=error) from error


def _operators(model: FlatbufferTable) -> list[TfliteOperator]:
    codes = [
        # older files keep the code in a byte, newer ones in an integer beside it: the larger one holds
        (max(code.number(0, "b"), code.number(3, "i")), code.number(2, "i", 1))
        for code in model.tables(1)
    ]
    operators = []
    for graph in model.tables(2):
        tensors = [_tensor(table) for table in graph.tables(0)]
        for operator in graph.tables(3):
            code, version = codes[operator.number(0, "I")]
            inputs = tuple(tensors[index] if index >= 0 else None for index in operator.integers(1))
            operators.append(TfliteOperator(code, version, inputs))
    return operators


def _tensor(table: FlatbufferTable) -> TfliteTensor:
    quantization = table.table(4)
    return TfliteTensor(table.number(1, "b"), quantization.length(2) if quantization else 0)
