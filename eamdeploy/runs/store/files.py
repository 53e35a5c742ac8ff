"""Runs in files: what ``bench --json`` printed, a gate's baseline, a history export."""

from __future__ import annotations

import json
from pathlib import Path

from eamdeploy.base.errors import UsageError
from eamdeploy.base.results import Run, from_dict
from eamdeploy.runs.store.transfer import read_export


def read_runs(path: Path | str) -> list[Run]:
    """The runs of a file.

    Raises:
        UsageError: when it cannot be read or holds no runs.
    """
    source = Path(path)
    if source.suffix in (".jsonl", ".gz"):
        return [run for run, _ in read_export(source)]
    try:
        document = json.loads(source.read_text("utf-8"))
    except OSError as error:
        raise UsageError("cannot read the runs", where=path, why=error.strerror) from error
    except ValueError as error:
        hint = "it should be what 'eamdeploy bench --json' or 'eamdeploy gate --write-baseline' wrote"
        raise UsageError("this is not a file of runs", where=path, why=error, hint=hint) from error
    entries = document.get("runs") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        hint = "it should be what 'eamdeploy bench --json' or 'eamdeploy gate --write-baseline' wrote"
        raise UsageError("this is not a file of runs", where=path, why="it has no list 'runs'", hint=hint)
    try:
        return [from_dict(Run, entry) for entry in entries]
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise UsageError("an entry is not a run", where=path, why=error) from error
