"""The exchange format: JSON Lines, a header and then one run a line, with its samples and its artifact's manifest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from eamdeploy.base.errors import UsageError
from eamdeploy.base.results import Run, from_dict
from eamdeploy.runs.store.rows import document_of

FORMAT = "eamdeploy-runs"
FORMAT_VERSION = 1


def lines_of(entries: Iterable[tuple[Run, str | None]]) -> Iterator[str]:
    """The header and one line per run; ``entries`` are runs with their manifest's text."""
    yield json.dumps({"format": FORMAT, "format_version": FORMAT_VERSION})
    for run, manifest in entries:
        line: dict[str, Any] = {"run": document_of(run)}
        if manifest is not None:
            line["manifest"] = json.loads(manifest)
        yield json.dumps(line, allow_nan=False)


def entries_of(lines: Iterable[str], where: object) -> Iterator[tuple[Run, dict[str, Any] | None]]:
    """The runs of an exported file.

    Raises:
        UsageError: when it is not such a file, is of a newer version, or a line is damaged; the message has the line.
    """
    numbered = enumerate(lines, start=1)
    header = _json(next(numbered, (1, ""))[1])
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise UsageError("this is not a history export", where=where, hint="make one with 'eamdeploy history export'")
    version = header.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise UsageError(
            "the export was written by a newer eamdeploy",
            where=where,
            why=f"its format is {version}, this one knows up to {FORMAT_VERSION}",
            hint="upgrade eamdeploy",
        )
    for number, line in numbered:
        if not line.strip():
            continue
        values = _json(line)
        manifest = values.get("manifest") if isinstance(values, dict) else None
        try:
            yield from_dict(Run, values["run"]), manifest
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            hint = "nothing was imported; export it again, or remove the line"
            raise UsageError("a line is not a run", where=f"{where}:{number}", why=error, hint=hint) from error


def _json(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None
