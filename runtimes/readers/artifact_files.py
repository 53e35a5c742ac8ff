"""The files an artifact consists of, and one hash over all of them.

An .onnx file may keep its weights in other files beside it ("external data",
https://onnx.ai/onnx/repo-docs/ExternalData.html): they are found by walking the protobuf, without the package onnx.
An ncnn network is always two files.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from pathlib import Path

from eamdeploy.base.errors import UsageError
from runtimes.readers.formats import companions_of
from runtimes.readers.metadata import protobuf_fields

_GRAPH = 7  # ModelProto.graph
_NODE, _INITIALIZER = 1, 5  # GraphProto
_ATTRIBUTE = 5  # NodeProto.attribute
_TENSOR, _SUBGRAPH, _TENSORS, _SUBGRAPHS = 5, 6, 10, 11  # AttributeProto
_EXTERNAL = 13  # TensorProto.external_data, entries of key (1) and value (2)
_BLOCK = 1 << 20


def external_files(path: Path | str) -> tuple[Path, ...]:
    """Files beside an artifact that hold its weights: an .onnx file's external data, sorted by name, and ncnn's .bin file.

    Raises:
        UsageError: when one of them is missing or lies outside the artifact's folder.
    """
    file = Path(path)
    for companion in companions_of(file):
        if not companion.is_file():
            why = f"{file.name} has its weights in {companion.name}"
            raise UsageError(
                "the artifact's weights are missing", where=companion, why=why, hint="copy that file there"
            )
    if companions := companions_of(file):
        return companions
    if file.suffix.lower() != ".onnx" or not file.is_file() or not file.stat().st_size:
        return ()
    with file.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            names = sorted({name for start, end in _model_graphs(data) for name in _locations(data, start, end)})
        except (IndexError, ValueError):
            return ()  # not a protobuf: the runtime will say so in its own words
    return tuple(_beside(file, name) for name in names)


def artifact_sha256(path: Path | str) -> str:
    """SHA-256 of the artifact; where it has external data, of the digests of all its files in order."""
    side_files = external_files(path)
    file_digest = _digest(Path(path))
    if not side_files:
        return file_digest
    joined = "".join([file_digest, *(_digest(other) for other in side_files)])
    return hashlib.sha256(joined.encode()).hexdigest()


def artifact_bytes(path: Path | str) -> int:
    """Size of the artifact with its external data."""
    return Path(path).stat().st_size + sum(other.stat().st_size for other in external_files(path))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        # Python 3.9, on a board, has no hashlib.file_digest
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _beside(artifact: Path, name: str) -> Path:
    file = artifact.parent / name
    folder = artifact.parent.resolve()
    if folder not in file.resolve().parents:
        raise UsageError("the artifact's external data lies outside its folder", where=artifact, why=name)
    if not file.is_file():
        hint = "copy that file beside it, or save the model as one file"
        raise UsageError(
            "the artifact's external data is missing", where=artifact, why=f"there is no {name}", hint=hint
        )
    return file


def _model_graphs(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    for number, start, end in protobuf_fields(data, 0, len(data)):
        if number == _GRAPH:
            yield start, end


def _locations(data: mmap.mmap, start: int, end: int) -> Iterator[str]:
    """File names in the tensors of one graph and of the graphs inside its nodes."""
    for number, first, last in protobuf_fields(data, start, end):
        if number == _INITIALIZER:
            yield from _location(data, first, last)
        elif number == _NODE:
            for field, low, high in protobuf_fields(data, first, last):
                if field != _ATTRIBUTE:
                    continue
                for kind, inner, outer in protobuf_fields(data, low, high):
                    if kind in (_TENSOR, _TENSORS):
                        yield from _location(data, inner, outer)
                    elif kind in (_SUBGRAPH, _SUBGRAPHS):
                        yield from _locations(data, inner, outer)


def _location(data: mmap.mmap, start: int, end: int) -> Iterator[str]:
    for number, first, last in protobuf_fields(data, start, end):
        if number == _EXTERNAL:
            entry = {key: bytes(data[low:high]) for key, low, high in protobuf_fields(data, first, last)}
            if entry.get(1) == b"location":
                yield entry.get(2, b"").decode()
