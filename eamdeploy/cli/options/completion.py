"""What the shell completes: runs, artifacts, and devices. Quick, silent, and never an error."""

from __future__ import annotations

import contextlib
from pathlib import Path

from eamdeploy.base.errors import EamdeployError
from runtimes.readers.formats import SUFFIXES

ARTIFACT_SUFFIXES = SUFFIXES
_MOST = 50


def complete_run(incomplete: str) -> list[tuple[str, str]]:
    """The latest runs of the store by id, each with what it is, and the names of artifacts that were measured."""
    from eamdeploy.runs.store import open_store

    with contextlib.suppress(EamdeployError):
        runs = open_store().runs(limit=_MOST)
        named = {Path(run.artifact).name: "its latest run" for run in runs}
        ids = {run.id: f"{Path(run.artifact).name} on {run.board or run.device}, {run.runtime}" for run in runs}
        offered = {"latest": "the latest run", **ids, **named}
        return [(name, sentence) for name, sentence in offered.items() if name.startswith(incomplete)]
    return []


def complete_artifact(incomplete: str) -> list[str]:
    """Artifacts in the folder being typed, and its folders."""
    head, _, tail = incomplete.rpartition("/")
    folder = Path(head or ("/" if incomplete.startswith("/") else "."))
    prefix = f"{head}/" if "/" in incomplete else ""
    artifacts = []
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir()):
            if path.name.startswith(tail) and not (path.name.startswith(".") and not tail):
                if path.suffix in ARTIFACT_SUFFIXES:
                    artifacts.append(prefix + path.name)
                elif path.is_dir():
                    artifacts.append(f"{prefix}{path.name}/")
    return artifacts


def complete_stored(column: str) -> list[str]:
    """Values that occur in the store: of ``device``, ``runtime`` or ``precision``."""
    from eamdeploy.runs.store import open_store

    with contextlib.suppress(EamdeployError):
        return sorted({str(getattr(run, column)) for run in open_store().runs(limit=500) if getattr(run, column)})
    return []
