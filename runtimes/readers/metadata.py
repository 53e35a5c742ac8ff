"""Read what the exporter wrote about an artifact into the artifact, with neither torch nor onnx.

ONNX: the entry ``eamdeploy`` of ``metadata_props`` (https://onnx.ai/onnx/repo-docs/IR.html#metadata), found by walking
the protobuf's top-level fields. TFLite: ``eamdeploy.json`` in a zip appended to the flatbuffer, the convention of
TFLite's associated files (https://ai.google.dev/edge/litert/models/metadata); MNN, whose files are flatbuffers too, the
same. ncnn: a line behind the layers of the ``.param`` file.
"""

from __future__ import annotations

import mmap
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eamdeploy.base.errors import UsageError
from runtimes.readers.document import LIMIT_BYTES, check_document, read_document
from runtimes.readers.formats import ARTIFACT_KINDS, format_of
from runtimes.readers.ncnn_file import read_param

KEY = "eamdeploy"
TFLITE_MEMBER = "eamdeploy.json"
_METADATA_PROPS = 14  # ModelProto.metadata_props
_LOCAL_HEADER = TFLITE_MEMBER.encode()
_TAIL_BYTES = 1 << 20
_VARINT_BITS = 63


@dataclass(frozen=True)
class ArtifactMetadata:
    """What is known about an artifact; a foreign artifact has only its format.

    Attributes:
        format: ``"onnx"``, ``"tflite"``, ``"ncnn"`` or ``"mnn"``.
        name: the model's name.
        precision: ``"fp32"``, ``"fp16"`` or ``"int8"``, if known.
        architecture: the network's spec.
        classes: class names in output order.
        preprocessing: how images become inputs.
        plan: one entry a layer: layer, lowering and what else the exporter noted.
        checkpoint_sha256: of the checkpoint it was made from.
        eamdeploy_version: that wrote it.
        input_layout: ``"NCHW"`` or ``"NHWC"``, if known.
        tensors: names of inner tensors, such as ``tensors["alpha"][layer]``.
        raw: the whole document, empty for a foreign artifact.
    """

    format: str
    name: str | None = None
    precision: str | None = None
    architecture: Mapping[str, Any] | None = None
    classes: tuple[str, ...] = ()
    preprocessing: Mapping[str, Any] | None = None
    plan: tuple[Mapping[str, Any], ...] = ()
    checkpoint_sha256: str | None = None
    eamdeploy_version: str | None = None
    input_layout: str | None = None
    tensors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def foreign(self) -> bool:
        """Whether the artifact came from somewhere else."""
        return not self.raw


def read_metadata(path: Path | str) -> ArtifactMetadata:
    """Read an artifact's metadata; foreign artifacts give an empty one.

    Raises:
        UsageError: no such file, no such format, or damaged metadata.
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError("no such artifact", where=file, hint=f"give the path of {ARTIFACT_KINDS}")
    known_format = format_of(file)
    if known_format is None:
        raise UsageError("not an artifact", where=file, hint=f"an artifact is {ARTIFACT_KINDS}")
    if known_format.name == "ncnn":
        document = read_param(file).metadata
        return (
            ArtifactMetadata(format="ncnn")
            if document is None
            else _from_document(check_document(document, file), "ncnn")
        )
    text = _from_onnx(file) if known_format.name == "onnx" else _from_appended(file)
    if text is None:
        return ArtifactMetadata(format=known_format.name)
    document = read_document(text, file)
    return _from_document(document, known_format.name)


def _from_document(document: Mapping[str, Any], default_format: str) -> ArtifactMetadata:
    return ArtifactMetadata(
        format=document.get("format", default_format),
        name=document.get("name"),
        precision=document.get("precision"),
        architecture=document.get("architecture"),
        classes=tuple(document.get("classes") or ()),
        preprocessing=document.get("preprocessing"),
        plan=tuple(document.get("plan") or ()),
        checkpoint_sha256=document.get("checkpoint_sha256"),
        eamdeploy_version=document.get("eamdeploy_version"),
        input_layout=document.get("input_layout"),
        tensors=document.get("tensors") or {},
        raw=document,
    )


def _from_appended(file: Path) -> bytes | None:
    what, hint = "the artifact's metadata is damaged", "copy it again"
    try:
        if not zipfile.is_zipfile(file):
            # a zip is found by its end: one that was cut off leaves its first header behind
            if _LOCAL_HEADER in _tail(file):
                raise UsageError(what, where=file, why="it is cut off", hint=hint)
            return None
        with zipfile.ZipFile(file) as archive:
            if TFLITE_MEMBER not in archive.namelist():
                return None
            # a few kilobytes can unpack to anything
            with archive.open(TFLITE_MEMBER) as member:
                return member.read(LIMIT_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, EOFError, OSError) as error:
        raise UsageError(what, where=file, why=error, hint=hint) from error


def _tail(file: Path) -> bytes:
    with file.open("rb") as handle:
        handle.seek(max(0, file.stat().st_size - _TAIL_BYTES))
        return handle.read()


def _from_onnx(file: Path) -> bytes | None:
    if not file.stat().st_size:
        return None
    with file.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            for number, start, end in protobuf_fields(data, 0, len(data)):
                if number != _METADATA_PROPS:
                    continue
                entry = {key: bytes(data[first:last]) for key, first, last in protobuf_fields(data, start, end)}
                if entry.get(1) == KEY.encode():
                    return entry.get(2, b"")
        except (IndexError, ValueError):
            return None  # not a protobuf: the runtime will say so in its own words
    return None


def protobuf_fields(data: mmap.mmap, position: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Walk a protobuf message: (field number, start, end) of each length-delimited field."""
    while position < end:
        tag, position = _varint(data, position)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            _, position = _varint(data, position)
        elif kind == 1:
            position += 8
        elif kind == 2:
            size, position = _varint(data, position)
            if position + size > end:
                raise ValueError("a field runs past the end")
            yield number, position, position + size
            position += size
        elif kind == 5:
            position += 4
        else:
            raise ValueError(f"wire type {kind}")


def _varint(data: mmap.mmap, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
        shift += 7
        if shift > _VARINT_BITS:
            raise ValueError("a number is longer than a number can be")
