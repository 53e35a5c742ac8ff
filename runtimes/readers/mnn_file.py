"""Read a .mnn file's operators with the standard library alone.

A flatbuffer of MNN's schema (https://github.com/alibaba/MNN/tree/master/schema/default, ``MNN.fbs``); field numbers are those
of the schema. What eamdeploy knows about an artifact is appended as a zip, as to a .tflite file; a member ``outputs.json``
names tensors to hand out behind the network's own outputs.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from eamdeploy.base.errors import UsageError
from runtimes.readers.flatbuffer import root_table

OUTPUTS_MEMBER = "outputs.json"
_OPERATORS, _OUTPUT_NAMES, _TENSOR_NAMES = 3, 4, 7  # of Net
_INPUT_INDEXES, _NAME, _OUTPUT_INDEXES, _TYPE = 0, 3, 4, 5  # of Op
INPUT, SOFTMAX, CONST = 34, 85, 11  # OpType

_OUTPUTS_LIMIT_BYTES = 1024 * 1024  # a few kilobytes can unpack to anything


@dataclass(frozen=True)
class MnnOperator:
    """An operator: ``OpType``, name, and the names of its inputs and outputs."""

    type: int
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class MnnNetwork:
    """A .mnn file.

    Attributes:
        operators: in order of execution.
        named: the network's own outputs.
        extra_outputs: tensors to hand out behind them.
    """

    operators: tuple[MnnOperator, ...]
    named: tuple[str, ...]
    extra_outputs: tuple[str, ...] = ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """Every tensor to hand out."""
        return (*self.named, *self.extra_outputs)


def read_network(path: Path) -> MnnNetwork:
    """Read a .mnn file.

    Raises:
        UsageError: it is none, or it is cut off.
    """
    data = path.read_bytes()
    try:
        root = root_table(data)
        tensors = root.texts(_TENSOR_NAMES)
        operators = tuple(
            MnnOperator(
                entry.number(_TYPE, "i"),
                entry.text(_NAME),
                tuple(tensors[index] for index in entry.integers(_INPUT_INDEXES) if index >= 0),
                tuple(tensors[index] for index in entry.integers(_OUTPUT_INDEXES)),
            )
            for entry in root.tables(_OPERATORS)
        )
        if not operators:
            raise ValueError("it has no operators")
        input_names = {name for entry in operators for name in entry.inputs}
        unread = tuple(name for entry in operators for name in entry.outputs if name not in input_names)
        return MnnNetwork(operators, root.texts(_OUTPUT_NAMES) or unread, _shown(path))
    except (
        struct.error,
        ValueError,
        IndexError,
        TypeError,
        RuntimeError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise UsageError("not an MNN file", where=path, why=error, hint="export it again") from error


def _shown(path: Path) -> tuple[str, ...]:
    if not zipfile.is_zipfile(path):
        return ()
    with zipfile.ZipFile(path) as archive:
        if OUTPUTS_MEMBER not in archive.namelist():
            return ()
        with archive.open(OUTPUTS_MEMBER) as member:
            return tuple(str(name) for name in json.loads(member.read(_OUTPUTS_LIMIT_BYTES)))
