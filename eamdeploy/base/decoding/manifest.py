"""A manifest that somebody else wrote: what the views read of it has its type, everything else is kept as it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from eamdeploy.base.decoding.decoder import convert, decode
from eamdeploy.base.errors import UsageError
from eamdeploy.base.values import Count, Name, Positive, Reading, Text

MANIFEST_LIMIT_BYTES = 16 * 1024 * 1024
_CLASSES = Annotated[list[Name], Meta(max_length=1_000_000)]
_SHAPE = Annotated[list[Count], Meta(max_length=16)]
_Object = dict[str, Any]


@dataclass
class _Output:
    name: Name = ""
    snr_db: Reading | UnsetType | None = UNSET
    max_abs_error: Reading | None = None
    tolerance_abs: Reading | None = None


@dataclass
class _Parity:
    verdict: Name = ""
    images: Count | Text | None = None
    data: Text | None = None
    outputs: list[_Output] = field(default_factory=list)
    flips: Count | None = None
    flips_above_rounding: Count | None = None
    attention_max_abs_error: Reading | None = None
    runtime: Text | None = None


@dataclass
class _PlannedLayer:
    layer: Name = ""
    kind: Name = ""
    shape: _SHAPE | None = None
    lowering: Name = ""
    predicted_ms: Reading | None = None
    measured_ms: dict[str, Reading | None] | None = None
    reason: Text | None = None


@dataclass
class _ArtifactEntry:
    file: Annotated[str, Meta(max_length=255, pattern=r"^[^/\x00-\x1f\x7f]*\Z")] = ""
    format: Name = ""
    precision: Name = ""
    bytes: Count = 0
    sha256: Annotated[str, Meta(max_length=64, pattern=r"^([0-9a-f]{64})?\Z")] = ""
    parity: _Parity | None = None
    plan: Annotated[list[_PlannedLayer], Meta(max_length=100_000)] = field(default_factory=list)
    quantization: _Object | None = None
    notes: list[Text] = field(default_factory=list)


@dataclass
class _Checkpoint:
    name: Name = ""
    sha256: Annotated[str, Meta(max_length=64, pattern=r"^([0-9a-f]{64})?\Z")] = ""


@dataclass
class _Manifest:
    schema_version: Positive = 1
    name: Name = ""
    checkpoint: _Checkpoint | None = None
    architecture: _Object | None = None
    classes: _CLASSES = field(default_factory=list)
    preprocessing: _Object | None = None
    artifacts: Annotated[list[_ArtifactEntry], Meta(max_length=100_000)] = field(default_factory=list)
    # older manifests said of all what newer ones say of each artifact
    parity: _Parity | None = None
    plan: list[_PlannedLayer] = field(default_factory=list)
    quantization: _Object | None = None


def decode_manifest(
    content: bytes | str, *, where: object, what: str = "the manifest is damaged", hint: str | None = "export again"
) -> dict[str, Any]:
    """The manifest in a JSON text, as a dictionary of which every part that is read has its type.

    Raises:
        UsageError: with the field and the value that do not fit.
    """
    if len(content) > MANIFEST_LIMIT_BYTES:
        raise UsageError(what, where=where, why=f"it is larger than {MANIFEST_LIMIT_BYTES:,} bytes", hint=hint)
    document = decode(dict[str, Any], content, where=where, what=what, hint=hint)
    convert(_Manifest, document, where=where, what=what, hint=hint)
    return document
