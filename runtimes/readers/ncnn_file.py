"""Read and write ncnn's text form of a network, ``.param``, with the standard library alone.

A line is a layer: kind, name, number of inputs and outputs, their blobs, then ``id=value`` parameters
(https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure). ncnn reads as many lines as the second line
announces and nothing behind them, so what eamdeploy knows about an artifact stands there, in lines that begin with ``#``:
``# eamdeploy {...}`` is the metadata, ``# outputs [...]`` the blobs to hand out where they are not simply those that no
layer reads.
"""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

from eamdeploy.base.errors import UsageError

MAGIC = "7767517"
METADATA_LINE = "# eamdeploy "
OUTPUTS_LINE = "# outputs "
_ARRAY_BASE = 23300
# what stands before weights that ncnn can store in several forms
FLOAT_TAG, HALF_TAG, INT8_TAG = struct.pack("<I", 0), struct.pack("<I", 0x01306B47), struct.pack("<I", 0x000D4B38)
_WITHOUT_WEIGHTS = (
    "AbsVal", "BinaryOp", "Clip", "Concat", "Crop", "CumulativeSum", "Dropout", "Eltwise", "ExpandDims", "Flatten",
    "HardSigmoid", "HardSwish", "Input", "MatMul", "Noop", "Packing", "Padding", "Permute", "Pooling", "ReLU", "Reduction",
    "Reshape", "Sigmoid", "Slice", "Softmax", "Split", "Squeeze", "Swish", "TanH", "UnaryOp",
)  # fmt: skip
# evaluated when the module loads, on boards with Python 3.9 too
Number = Union[int, float]  # noqa: UP007
Parameter = Union[int, float, "tuple[Number, ...]"]


@dataclass(frozen=True)
class NcnnLayer:
    """One layer.

    Attributes:
        kind: ncnn's name of the operator, such as ``Convolution``.
        name: of the layer.
        inputs: blobs it reads.
        outputs: blobs it writes.
        parameters: by id; arrays as tuples.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: Mapping[int, Parameter] = field(default_factory=dict)

    def line(self) -> str:
        """The layer as its line of the file."""
        fields = [self.kind, self.name, str(len(self.inputs)), str(len(self.outputs)), *self.inputs, *self.outputs]
        return " ".join((*fields, *(_write(key, value) for key, value in self.parameters.items())))


@dataclass(frozen=True)
class NcnnParam:
    """A ``.param`` file.

    Attributes:
        layers: in order of execution.
        metadata: what eamdeploy wrote about the artifact, ``None`` for a foreign one.
        output_blobs: blobs to hand out, or ``None`` for those that no layer reads.
    """

    layers: tuple[NcnnLayer, ...]
    metadata: Mapping[str, Any] | None = None
    output_blobs: tuple[str, ...] | None = None

    @property
    def inputs(self) -> tuple[NcnnLayer, ...]:
        """The input layers."""
        return tuple(layer for layer in self.layers if layer.kind == "Input")

    @property
    def outputs(self) -> tuple[str, ...]:
        """The blobs to hand out."""
        if self.output_blobs is not None:
            return self.output_blobs
        input_names = {blob for layer in self.layers for blob in layer.inputs}
        return tuple(blob for layer in self.layers for blob in layer.outputs if blob not in input_names)

    def text(self) -> str:
        """The file's text."""
        blobs = sum(len(layer.outputs) for layer in self.layers)
        lines = [MAGIC, f"{len(self.layers)} {blobs}", *(layer.line() for layer in self.layers)]
        if self.output_blobs is not None:
            lines.append(OUTPUTS_LINE + json.dumps(list(self.output_blobs)))
        if self.metadata is not None:
            lines.append(METADATA_LINE + json.dumps(self.metadata, ensure_ascii=False))
        return "\n".join(lines) + "\n"


def weights_path(param: Path) -> Path:
    """The ``.bin`` file that belongs to a ``.param`` file."""
    return param.with_suffix(".bin")


def read_param(path: Path) -> NcnnParam:
    """Read a ``.param`` file.

    Raises:
        UsageError: it is none, or it is cut off.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        if not lines or lines[0].strip() != MAGIC:
            raise ValueError(f"its first line is not {MAGIC}")
        count = int(lines[1].split()[0])
        layers = tuple(_layer(line) for line in lines[2 : 2 + count])
        if len(layers) != count:
            raise ValueError(f"it announces {count} layers and has {len(layers)}")
        behind = lines[2 + count :]
        metadata = _behind(behind, METADATA_LINE)
        output_names = _behind(behind, OUTPUTS_LINE)
        if metadata is not None and not isinstance(metadata, dict):
            raise ValueError("its metadata is no JSON object")
        if output_names is not None and not (isinstance(output_names, list) and {*map(type, output_names)} <= {str}):
            raise ValueError("its outputs are no list of names")
    except (OSError, ValueError, IndexError, TypeError, RecursionError, OverflowError) as error:
        raise UsageError("not an ncnn network", where=path, why=error, hint="export it again") from error
    return NcnnParam(layers, metadata, None if output_names is None else tuple(output_names))


def split_shared(layers: Sequence[NcnnLayer], output_names: Sequence[str]) -> list[NcnnLayer]:
    """ncnn hands a blob to one reader only: one that several read, or that is shown and read, goes through a ``Split``.

    A shown blob keeps its name; its readers get branches.
    """
    readers: dict[str, int] = {}
    for layer in layers:
        for blob in layer.inputs:
            readers[blob] = readers.get(blob, 0) + 1
    visible = set(output_names)
    blob_names = {blob for layer in layers for blob in layer.outputs}
    used: dict[str, int] = {}
    branches: dict[str, list[str]] = {}
    result: list[NcnnLayer] = []
    for layer in layers:
        inputs = []
        for blob in layer.inputs:
            if blob in branches:
                position = used.get(blob, 0)
                used[blob] = position + 1
                inputs.append(branches[blob][position])
            else:
                inputs.append(blob)
        renamed = {}
        for blob in layer.outputs:
            count = readers.get(blob, 0)
            if count > 1 or (count and blob in visible):
                branches[blob] = [_unused(f"{blob}/split{number}", blob_names) for number in range(count)]
                renamed[blob] = _unused(f"{blob}/whole", blob_names) if blob in visible else blob
        outputs = tuple(renamed.get(blob, blob) for blob in layer.outputs)
        result.append(dataclasses.replace(layer, inputs=tuple(inputs), outputs=outputs))
        for blob, whole in renamed.items():
            split_blobs = (blob,) if blob in visible else ()
            result.append(
                NcnnLayer("Split", _unused(f"{blob}/split", blob_names), (whole,), (*branches[blob], *split_blobs))
            )
    return result


def _unused(name: str, blob_names: set[str]) -> str:
    """``name``, or with a number where a network that was split before has it already."""
    candidate, count = name, 1
    while candidate in blob_names:
        count += 1
        candidate = f"{name}_{count}"
    blob_names.add(candidate)
    return candidate


def weight_spans(layers: Sequence[NcnnLayer], content: bytes) -> list[tuple[int, int]] | None:
    """Where each block of weights begins and ends in the ``.bin`` file's ``content``; ``None`` with a kind not known here."""
    spans: list[tuple[int, int]] = []
    at = 0
    for layer in layers:
        stored_spans = _layer_spans(layer, content, at)
        if stored_spans is None:
            return None
        spans += stored_spans
        at = stored_spans[-1][1] if stored_spans else at
    return spans


def weight_blocks(layer: NcnnLayer, content: bytes, at: int) -> int | None:
    """How many bytes of the ``.bin`` file's ``content`` a layer has from ``at`` on, or ``None`` for a kind not known here."""
    spans = _layer_spans(layer, content, at)
    if spans is None:
        return None
    return spans[-1][1] - at if spans else 0


def _layer_spans(layer: NcnnLayer, content: bytes, at: int) -> list[tuple[int, int]] | None:
    blocks = _block_sizes(layer)
    if blocks is None:
        return None
    spans = []
    for elements, tagged in blocks:
        start, tag = at, content[at : at + 4]
        if not tagged:
            at += 4 * elements
        elif tag == FLOAT_TAG:
            at += 4 + 4 * elements
        elif tag == HALF_TAG:
            at += 4 + -(-2 * elements // 4) * 4
        elif tag == INT8_TAG:
            at += 4 + -(-elements // 4) * 4
        else:
            return None
        spans.append((start, at))
    return spans


def _block_sizes(layer: NcnnLayer) -> list[tuple[int, bool]] | None:
    """The elements of each block of weights, and whether a tag stands before them."""
    if layer.kind in _WITHOUT_WEIGHTS:
        return []

    def number(key: int, default: int = 0) -> int:
        value = layer.parameters.get(key, default)
        return default if isinstance(value, tuple) else int(value)

    if layer.kind in ("Convolution", "ConvolutionDepthWise"):
        if number(8) or number(19):
            return None if number(8) else []
        return [(number(6), True), *([(number(0), False)] if number(5) else [])]
    if layer.kind == "InnerProduct":
        return None if number(8) else [(number(2), True), *([(number(0), False)] if number(1) else [])]
    if layer.kind == "MemoryData":
        elements = 1
        for key in (0, 1, 11, 2):
            elements *= number(key) or 1
        return [(elements, number(21, 1) == 0)]
    if layer.kind == "BatchNorm":
        return [(number(0), False)] * 4
    if layer.kind == "Gemm":
        return _gemm_sizes(number)
    return None


def _gemm_sizes(number: Callable[[int], int]) -> list[tuple[int, bool]]:
    rows, columns, depth = number(7), number(8), number(9)
    blocks = []
    if number(4):
        blocks.append((rows * depth, True))
    if number(5):
        blocks.append((depth * columns, True))
    sizes = {0: 1, 1: rows, 2: rows, 3: rows * columns, 4: columns}
    if number(6) and number(10) in sizes:
        blocks.append((sizes[number(10)], True))
    return blocks


def _behind(lines: Sequence[str], start: str) -> Any:
    for line in lines:
        if line.startswith(start):
            return json.loads(line[len(start) :])
    return None


def _layer(line: str) -> NcnnLayer:
    kind, name, inputs, outputs, *rest = line.split()
    first, last = int(inputs), int(inputs) + int(outputs)
    if len(rest) < last:
        raise ValueError(f"layer {name} lacks a blob")
    parameters = dict(_read(text) for text in rest[last:])
    return NcnnLayer(kind, name, tuple(rest[:first]), tuple(rest[first:last]), parameters)


def _read(text: str) -> tuple[int, Parameter]:
    key, _, value = text.partition("=")
    number = int(key)
    if number <= -_ARRAY_BASE:
        # ncnn writes arrays as -23300 - id = length, values
        return -number - _ARRAY_BASE, tuple(_number(part) for part in value.split(",")[1:])
    return number, _number(value)


def _number(text: str) -> Number:
    return float(text) if any(mark in text for mark in ".eEn") else int(text)


def _write(key: int, value: Parameter) -> str:
    if isinstance(value, tuple):
        return f"{-_ARRAY_BASE - key}=" + ",".join((str(len(value)), *(_text(part) for part in value)))
    return f"{key}={_text(value)}"


def _text(value: Number) -> str:
    # ncnn tells the two apart by the point or the exponent
    return f"{value:.9e}" if isinstance(value, float) else str(int(value))
