"""Reads what a checkpoint says of itself, without its weights and without torch.

A safetensors file begins with the length of its header (eight bytes, little endian) and the header as JSON; see
https://huggingface.co/docs/safetensors. Only the header is read, so a description needs the base package alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from eamdeploy.base.decoding import convert, decode
from eamdeploy.base.errors import DataError, UsageError
from eamdeploy.base.files import ordinary

SCHEMA_VERSION = 1
KEY = "eamdeploy"
# the limit of the format itself
_HEADER_LIMIT = 100_000_000
_DAMAGED = "the checkpoint's metadata is damaged"
_IMPORT_HINT = "give a .safetensors checkpoint of eamdeploy; others come in with `eamdeploy import`"
_ARTIFACT_ENDINGS = (".onnx", ".tflite", ".mnn", ".param")
_ARTIFACT_HINT = "'eamdeploy quantize', 'evaluate', 'bench' and 'estimate' take such a file"


@dataclass
class _CheckpointDocument:
    """What of the metadata has a type."""

    architecture: dict[str, Any]
    preprocessing: dict[str, Any]
    classes: Annotated[list[Annotated[str, Meta(max_length=1024)]], Meta(max_length=1_000_000)]
    schema_version: int = 0
    meta: dict[str, Any] = field(default_factory=dict)
    rewrites: dict[str, Any] = field(default_factory=dict)


def read_document(path: Path) -> dict[str, Any]:
    """The metadata of a checkpoint file, without its weights.

    Raises:
        DataError: when it is no checkpoint of eamdeploy.
    """
    metadata = _header(path).get("__metadata__") or {}
    if not isinstance(metadata, dict) or KEY not in metadata:
        raise DataError(
            "the file holds weights but no architecture", where=path, hint="bring it in with `eamdeploy import`"
        )
    try:
        text = convert(str, metadata[KEY], where=path, what=_DAMAGED)
        document = decode(dict[str, Any], text, where=path, what=_DAMAGED)
        version = document.get("schema_version", 0)
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise DataError("the checkpoint was written by a newer eamdeploy", where=path, hint="upgrade eamdeploy")
        missing = {"architecture", "preprocessing", "classes"} - set(document)
        if missing:
            raise DataError(f"the checkpoint's metadata lacks '{min(missing)}'", where=path)
        convert(_CheckpointDocument, document, where=path, what=_DAMAGED)
    except UsageError as error:
        raise DataError(error.what, where=error.where, why=error.why, hint=error.hint) from error
    return document


def _header(path: Path) -> dict[str, Any]:
    try:
        with ordinary(path).open("rb") as file:
            size = path.stat().st_size
            head = file.read(8)
            length = int.from_bytes(head, "little")
            if len(head) < 8 or length > min(size - 8, _HEADER_LIMIT):
                raise ValueError("the header is longer than the file")
            header = dict(json.loads(file.read(length)))
        if _weights_end(header) != size - 8 - length:
            raise ValueError("the weights do not fill the file")
    except (OSError, TypeError, ValueError, RecursionError) as error:
        hint = _ARTIFACT_HINT if path.suffix in _ARTIFACT_ENDINGS else _IMPORT_HINT
        raise DataError("cannot read the checkpoint", where=path, why=_reason(path, error), hint=hint) from error
    return header


def _weights_end(header: dict[str, Any]) -> int:
    ends = [0]
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
        if not (isinstance(offsets, list) and len(offsets) == 2 and all(type(offset) is int for offset in offsets)):
            raise ValueError(f"the entry of the tensor '{name}' is damaged")
        ends.append(offsets[1])
    return max(ends)


def _reason(path: Path, error: Exception) -> str:
    if not path.exists():
        return "no such file"
    if path.is_dir():
        return "it is a folder"
    if path.suffix in _ARTIFACT_ENDINGS:
        return "it is an artifact for a runtime, not a checkpoint"
    with path.open("rb") as file:
        head = file.read(8)
    if head[:2] in (b"PK", b"\x80\x02", b"\x80\x04"):
        return "it is a pickled PyTorch file"
    return f"it is truncated or not a safetensors file ({error})"
