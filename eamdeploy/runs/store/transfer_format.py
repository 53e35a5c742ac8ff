"""The exchange format: JSON Lines, a header and then one run a line, with its samples and its artifact's manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from msgspec import Raw, Struct

from eamdeploy.base.decoding import decode, decode_manifest, decode_run
from eamdeploy.base.errors import UsageError
from eamdeploy.base.results import Run
from eamdeploy.runs.store.rows import text_of

FORMAT = "eamdeploy-runs"
FORMAT_VERSION = 1
_NOT_AN_EXPORT = "this is not a history export"
_NOT_A_RUN = "a line is not a run"
_HINT = "nothing was imported; export it again, or remove the line"


@dataclass
class _Header:
    format: Literal["eamdeploy-runs"]
    format_version: int


class _Line(Struct):
    run: Raw
    manifest: Raw = Raw()


def lines_of(entries: Iterable[tuple[Run, str | None]]) -> Iterator[str]:
    """The header and one line per run; ``entries`` are runs with their manifest's text."""
    yield f'{{"format": "{FORMAT}", "format_version": {FORMAT_VERSION}}}'
    for run, manifest in entries:
        rest = "" if manifest is None else f', "manifest": {_one_line(manifest)}'
        yield f'{{"run": {text_of(run)}{rest}}}'


def _one_line(manifest: str) -> str:
    # between JSON's values a line break is a space; inside of a string there is none
    return manifest.replace("\r", " ").replace("\n", " ")


def _check_header(line: str, where: object) -> None:
    hint = "make one with 'eamdeploy history export'"
    header = decode(_Header, line, where=where, what=_NOT_AN_EXPORT, hint=hint)
    if header.format_version > FORMAT_VERSION:
        raise UsageError(
            "the export was written by a newer eamdeploy",
            where=where,
            why=f"its format is {header.format_version}, this one knows up to {FORMAT_VERSION}",
            hint="upgrade eamdeploy",
        )


def entries_of(lines: Iterable[str], where: object) -> Iterator[tuple[Run, dict[str, Any] | None]]:
    """The runs of an exported file.

    Raises:
        UsageError: when it is not such a file, is of a newer version, or a line is damaged; the message has the line.
    """
    numbered = enumerate(lines, start=1)
    _check_header(next(numbered, (1, ""))[1], where)
    for number, line in numbered:
        if not line.strip():
            continue
        if line.lstrip().startswith('{"format"'):  # exports that were joined (cat a.jsonl b.jsonl)
            _check_header(line, f"{where}:{number}")
            continue
        place = f"{where}:{number}"
        parts = decode(_Line, line, where=place, what=_NOT_A_RUN, hint=_HINT)
        run = decode_run(bytes(parts.run), where=place, what=_NOT_A_RUN, hint=_HINT)
        text = bytes(parts.manifest)
        manifest = None if text in (b"", b"null") else decode_manifest(text, where=place, what=_NOT_A_RUN, hint=_HINT)
        yield run, manifest
