"""A .tflite file as objects that can be edited: tensors with their constants, operators, and the questions a rewrite asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eamdeploy.base.errors import UsageError
from export.tflite.exporter import flatbuffer_bytes
from runtimes.readers.metadata import read_metadata

FLOAT32, FLOAT16, INT32, INT8 = 0, 1, 2, 9  # TensorType of the schema
_UINT8 = 3
_DTYPES = {
    FLOAT32: np.float32,
    FLOAT16: np.float16,
    INT32: np.int32,
    INT8: np.int8,
    4: np.int64,
    _UINT8: np.uint8,
    6: np.bool_,
}
_CODES = {np.dtype(kind): code for code, kind in _DTYPES.items()}


@dataclass(frozen=True)
class TensorCode:
    """Quantization of a tensor: one scale, or one per index of ``axis``."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0


class TfliteModel:
    """The main graph of a .tflite file.

    Attributes:
        model, graph: objects of the flatbuffer schema.
        producer: operator that makes a tensor, by tensor index.
        readers: operators that read a tensor, by tensor index.
        mixing: what bounds the mixing weights of each layer, as the file's metadata has it; empty where all sum to 1.
    """

    def __init__(self, content: bytes, mixing: Mapping[str, Any] | None = None) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.mixing = dict(mixing or {})
        self.schema: Any = schema
        self.model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        self.graph: Any = self.model.subgraphs[0]
        self._kinds = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
        self.index()

    @classmethod
    def read(cls, path: Path) -> TfliteModel:
        """Read the file at ``path``.

        Raises:
            UsageError: when it is no TFLite file, or has several graphs.
        """
        content = flatbuffer_bytes(path)
        if content[4:8] != b"TFL3":
            raise UsageError("not a TFLite file", where=path)
        document = read_metadata(path).raw
        model = cls(content, _mixing(document.get("mixing") or {}, document.get("plan") or ()))
        if len(model.model.subgraphs) != 1:
            raise UsageError("the quantizer does not know models of several graphs", where=path)
        return model

    def index(self) -> None:
        """Recompute ``producer`` and ``readers`` after an edit."""
        self.producer: dict[int, Any] = {int(t): op for op in self.graph.operators for t in op.outputs}
        self.readers: dict[int, list[Any]] = {}
        for op in self.graph.operators:
            for tensor in dict.fromkeys(int(t) for t in op.inputs if t >= 0):
                self.readers.setdefault(tensor, []).append(op)

    def kind(self, op: Any) -> str:
        """The operator's name, such as ``CONV_2D``."""
        code = self.model.operatorCodes[op.opcodeIndex]
        return self._kinds.get(max(code.builtinCode, code.deprecatedBuiltinCode), "CUSTOM")

    def name(self, tensor: int) -> str:
        """A tensor's name."""
        return str(self.graph.tensors[tensor].name.decode())

    def shape(self, tensor: int) -> tuple[int, ...]:
        """A tensor's shape."""
        shape = self.graph.tensors[tensor].shape
        return () if shape is None else tuple(int(size) for size in shape)

    def is_constant(self, tensor: int) -> bool:
        """Whether a tensor's value is in the file."""
        if tensor < 0 or tensor in self.producer:
            return False
        data = self.model.buffers[self.graph.tensors[tensor].buffer].data
        return data is not None and len(data) > 0

    def is_float(self, tensor: int) -> bool:
        """Whether a tensor is float32."""
        return tensor >= 0 and self.graph.tensors[tensor].type == FLOAT32

    def has_int8_code(self, tensor: int) -> bool:
        """Whether a tensor holds 8-bit codes of real numbers."""
        entry = self.graph.tensors[tensor]
        scale = None if entry.quantization is None else entry.quantization.scale
        return entry.type in (INT8, _UINT8) and scale is not None and len(scale) > 0

    def value(self, tensor: int) -> npt.NDArray[Any]:
        """The value of a constant."""
        entry = self.graph.tensors[tensor]
        data = np.asarray(self.model.buffers[entry.buffer].data, dtype=np.uint8)
        return np.frombuffer(data.tobytes(), dtype=_DTYPES[entry.type]).reshape(self.shape(tensor))

    def add_tensor(self, name: str, shape: tuple[int, ...], kind: int, code: TensorCode | None = None) -> int:
        """Add a tensor that an operator will make; returns its index."""
        tensor = self.schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name.encode(), list(shape), kind, 0
        tensor.hasRank = True
        tensor.quantization = None if code is None else self._parameters(code)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def add_constant(self, name: str, value: npt.NDArray[Any], code: TensorCode | None = None) -> int:
        """Add a constant; returns its tensor index."""
        tensor = self.add_tensor(name, value.shape, _CODES[value.dtype], code)
        buffer = self.schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(value).tobytes(), dtype=np.uint8)
        self.model.buffers.append(buffer)
        self.graph.tensors[tensor].buffer = len(self.model.buffers) - 1
        return tensor

    def set_code(self, tensor: int, code: TensorCode) -> None:
        """Make a computed tensor int8."""
        self.graph.tensors[tensor].type = INT8
        self.graph.tensors[tensor].quantization = self._parameters(code)

    def _parameters(self, code: TensorCode) -> Any:
        parameters = self.schema.QuantizationParametersT()
        parameters.scale = np.array(code.scales, np.float32)
        parameters.zeroPoint = np.array(code.zero_points, np.int64)
        parameters.quantizedDimension = code.axis
        return parameters

    def operator(self, kind: str, inputs: list[int], outputs: list[int], version: int = 1, options: Any = None) -> Any:
        """A new operator, not yet in the graph. ``options`` are the schema's, such as ``ReshapeOptionsT``."""
        op = self.schema.OperatorT()
        op.opcodeIndex = self.code_index(kind, version)
        op.inputs, op.outputs = inputs, outputs
        if options is not None:
            op.builtinOptions = options
            op.builtinOptionsType = getattr(self.schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        return op

    def code_index(self, kind: str, version: int) -> int:
        """The index of an operator code, added if need be."""
        number = getattr(self.schema.BuiltinOperator, kind)
        for index, code in enumerate(self.model.operatorCodes):
            if max(code.builtinCode, code.deprecatedBuiltinCode) == number and code.version >= version:
                return index
        code = self.schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), version
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def raise_version(self, op: Any, version: int) -> None:
        """Give an operator at least ``version``: int8 forms came later than float ones."""
        code = self.model.operatorCodes[op.opcodeIndex]
        if code.version < version:
            op.opcodeIndex = self.code_index(self.kind(op), version)

    def to_bytes(self) -> bytes:
        """The flatbuffer, without constants that nothing reads."""
        import flatbuffers

        self._drop_unused()
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _drop_unused(self) -> None:
        graph = self.graph
        used = {int(t) for op in graph.operators for t in (*op.inputs, *op.outputs) if t >= 0}
        used |= {int(t) for t in (*graph.inputs, *graph.outputs)}
        used_indices = sorted(used)
        places = {old: new for new, old in enumerate(used_indices)}
        graph.tensors = [graph.tensors[index] for index in used_indices]
        for op in graph.operators:
            op.inputs = [places[int(t)] if t >= 0 else -1 for t in op.inputs]
            op.outputs = [places[int(t)] for t in op.outputs]
            op.intermediates = (
                None if not op.intermediates else [places[int(t)] for t in op.intermediates if int(t) in places]
            )
        graph.inputs, graph.outputs = [places[int(t)] for t in graph.inputs], [places[int(t)] for t in graph.outputs]
        for signature in self.model.signatureDefs or []:
            for entry in (*(signature.inputs or []), *(signature.outputs or [])):
                entry.tensorIndex = places[int(entry.tensorIndex)]
        buffer_indices = [tensor.buffer for tensor in graph.tensors] + [
            entry.buffer for entry in self.model.metadata or []
        ]
        buffers, moved = [self.model.buffers[0]], {0: 0}
        for index in buffer_indices:
            if index not in moved:
                moved[index] = len(buffers)
                buffers.append(self.model.buffers[index])
        self.model.buffers = buffers
        for tensor in graph.tensors:
            tensor.buffer = moved[tensor.buffer]
        for entry in self.model.metadata or []:
            entry.buffer = moved[entry.buffer]
        self.index()


def _mixing(bounds: Mapping[str, Any], plan: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The bounds of every layer that was planned; those that are not listed sum to 1."""
    convex = {"l1": 1.0, "signed": False, "kernels": 1}
    return {**{str(entry["layer"]): convex for entry in plan}, **bounds} if bounds else {}
