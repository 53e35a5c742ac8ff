"""Moving a history: export to JSON Lines (gzip where the name ends in .gz), import without doubles."""

from __future__ import annotations

import gzip
import itertools
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eamdeploy.base.errors import UsageError
from eamdeploy.base.files import atomic_path
from eamdeploy.base.results import Run
from eamdeploy.runs.store.query import RunFilter
from eamdeploy.runs.store.store import Store
from eamdeploy.runs.store.transfer_format import entries_of, lines_of

_TABLES = (".csv", ".tsv", ".xlsx", ".ods")
LINE_LIMIT_BYTES = 64 * 1024 * 1024
FILE_LIMIT_BYTES = 16 * 1024 * 1024 * 1024  # a few kilobytes can unpack to anything


@dataclass(frozen=True)
class Imported:
    """How many runs an import added, and how many were there before."""

    added: int
    existing: int


def export_runs(store: Store, path: Path | str, where: RunFilter | None = None) -> int:
    """Write the runs that meet ``where``, oldest first, whole or not at all.

    Returns:
        How many were written.

    Raises:
        StoreError: when the store cannot be read.
        UsageError: when the file cannot be written.
    """
    if Path(path).suffix.lower() in _TABLES:
        hint = f"name it {Path(path).with_suffix('.jsonl').name}; for a table, convert 'eamdeploy history --json'"
        raise UsageError("an export holds JSON Lines, not a table", where=path, hint=hint)
    manifests = {sha256: json.dumps(manifest) for sha256, manifest in store.manifests().items()}
    count = 0

    def entries() -> Iterator[tuple[Run, str | None]]:
        nonlocal count
        for run in store.iterate(where, samples=True, oldest_first=True):
            count += 1
            yield run, manifests.get(run.artifact_sha256)

    lines = lines_of(entries())
    with atomic_path(path) as temporary:
        if Path(path).suffix == ".gz":
            with gzip.open(temporary, "wt", compresslevel=6, encoding="utf-8") as packed:
                packed.writelines(f"{line}\n" for line in lines)
        else:
            with temporary.open("w", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in lines)
    return count


def import_runs(store: Store, path: Path | str) -> Imported:
    """Add the runs of an export that the store does not have, all of them or, on any error, none.

    Raises:
        UsageError: when the file cannot be read or is not an export.
        StoreError: when the store cannot be written.
    """
    ids: set[str] = set()

    def entries() -> Iterator[tuple[Run, dict[str, Any] | None]]:
        for run, manifest in read_export(path):
            if run.id not in ids:
                ids.add(run.id)
                yield run, manifest

    first = next(run_entries := entries(), None)
    added = 0 if first is None else store.append_imported(itertools.chain([first], run_entries))
    return Imported(added, len(ids) - added)


def read_export(path: Path | str) -> Iterator[tuple[Run, dict[str, Any] | None]]:
    """The runs of an export with their artifacts' manifests.

    Raises:
        UsageError: when the file cannot be read or is not an export.
    """
    try:
        yield from entries_of(_lines(Path(path)), path)
    except UnicodeDecodeError as error:
        hint = "give a file of `eamdeploy history export`; nothing was imported"
        raise UsageError("cannot read the export", where=path, why="it is not text", hint=hint) from error
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError("cannot read the export", where=path, why=why, hint="nothing was imported") from error


def _lines(path: Path) -> Iterator[str]:
    if path.exists() and not path.is_file():  # a pipe would keep us waiting for ever
        raise UsageError("cannot read the export", where=path, why="it is not a file", hint="nothing was imported")
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path, "rb") if packed else path.open("rb") as file:
        total = 0
        while line := file.readline(LINE_LIMIT_BYTES + 1):
            total += len(line)
            if len(line) > LINE_LIMIT_BYTES or total > FILE_LIMIT_BYTES:
                limit = LINE_LIMIT_BYTES if len(line) > LINE_LIMIT_BYTES else FILE_LIMIT_BYTES
                what = "a line" if len(line) > LINE_LIMIT_BYTES else "it"
                why = f"{what} is larger than {limit:,} bytes, unpacked"
                raise UsageError("cannot read the export", where=path, why=why, hint="nothing was imported")
            yield line.decode("utf-8")
