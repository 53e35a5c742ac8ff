"""``NAME.manifest.json``: what the artifacts called NAME are, where they come from, and the proof that they are right.

The schema is published beside this file (``export/manifest/manifest.schema.json``). One manifest describes every artifact of one
name in a folder: exporting another format later adds to it, exporting another checkpoint under the same name starts anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import eamdeploy
from eamdeploy.base.decoding import MANIFEST_LIMIT_BYTES, decode_manifest, read_limited
from eamdeploy.base.errors import UsageError
from eamdeploy.base.files import atomic_write_text, locked_folder
from export.planning.plan import Plan
from runtimes.readers.artifact_files import artifact_bytes, artifact_sha256

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class ManifestSource:
    """Where the artifacts of a manifest come from."""

    name: str
    checkpoint: str
    checkpoint_sha256: str
    architecture: Mapping[str, Any]
    classes: Sequence[str]
    preprocessing: Mapping[str, Any]


def manifest_schema() -> dict[str, Any]:
    """The JSON schema of a manifest."""
    text = resources.files("export.manifest").joinpath("manifest.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def manifest_path(folder: Path, name: str) -> Path:
    """Where the manifest of the artifacts called ``name`` is."""
    return folder / f"{name}.manifest.json"


def artifact_entry(
    path: Path,
    *,
    format: str,  # noqa: A002 - the key's name
    precision: str,
    input_layout: str,
    plan: Plan,
    parity: Mapping[str, Any],
    versions: Mapping[str, str],
    notes: Sequence[str] = (),
    opset: int | None = None,
) -> dict[str, Any]:
    """The manifest's entry of one finished artifact; hashes the file."""
    return {
        "file": path.name,
        "format": format,
        "precision": precision,
        "bytes": artifact_bytes(path),
        "sha256": artifact_sha256(path),
        "input_layout": input_layout,
        "opset": opset,
        "target": plan.target.to_dict(),
        "plan": plan.to_list(),
        "parity": dict(parity),
        "versions": {"eamdeploy": eamdeploy.__version__, **versions},
        "notes": list(notes),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_manifest(folder: Path, source: ManifestSource, entries: Sequence[Mapping[str, Any]]) -> Path:
    """Write or extend the manifest of ``source.name`` in ``folder``; returns its path.

    Entries of an earlier export stay if they are of the same checkpoint and their files are still there unchanged.
    """
    path = manifest_path(folder, source.name)
    new = {entry["file"] for entry in entries}
    # two exports into one folder: the second sees what the first wrote
    with locked_folder(folder):
        former_entries = [
            entry for entry in _earlier(path, source) if entry["file"] not in new and _unchanged(folder, entry)
        ]
        document = {
            "schema_version": SCHEMA_VERSION,
            "name": source.name,
            "checkpoint": {"name": source.checkpoint, "sha256": source.checkpoint_sha256},
            "architecture": dict(source.architecture),
            "classes": list(source.classes),
            "preprocessing": dict(source.preprocessing),
            "artifacts": [*former_entries, *(dict(entry) for entry in entries)],
        }
        atomic_write_text(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return path


def read_manifest(path: Path) -> dict[str, Any]:
    """A manifest as a dictionary.

    Raises:
        UsageError: when the file is missing, damaged, or of a newer version.
    """
    document = decode_manifest(read_limited(path, MANIFEST_LIMIT_BYTES, what="cannot read the manifest"), where=path)
    version = document.get("schema_version")
    if version is None:
        raise UsageError("the manifest is damaged", where=path, why="it has no schema_version", hint="export again")
    if version > SCHEMA_VERSION:
        raise UsageError("the manifest was written by a newer eamdeploy", where=path, hint="upgrade eamdeploy")
    return document


def _earlier(path: Path, source: ManifestSource) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    try:
        document = read_manifest(path)
        same = document["checkpoint"]["sha256"] == source.checkpoint_sha256
        return list(document["artifacts"]) if same else []
    except (UsageError, KeyError, TypeError):
        return []  # it describes nothing that can be kept, and is about to be replaced


def _unchanged(folder: Path, entry: Mapping[str, Any]) -> bool:
    file = folder / str(entry.get("file", ""))
    return file.is_file() and artifact_sha256(file) == entry.get("sha256")
