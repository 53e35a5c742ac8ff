"""From what a user writes to runs: a file of runs, a commit, a run of the store, or the artifact that was measured."""

from __future__ import annotations

from pathlib import Path

from eamdeploy.base.errors import UsageError
from eamdeploy.base.results import Run
from eamdeploy.runs.gate.judge import title
from eamdeploy.runs.gate.pairing import latest
from eamdeploy.runs.store import RunFilter, Store, read_runs

COMMIT = "commit:"
_FILE_SUFFIXES = (".json", ".jsonl", ".gz")


def find_runs(store: Store, reference: str) -> list[Run]:
    """The runs that ``reference`` names, with their samples: a file of runs, ``commit:PREFIX``, or a run of the store.

    Raises:
        MeasurementError: when it is an artifact that was changed since it was measured.
        UsageError: when it names nothing.
    """
    if _is_file_of_runs(reference):
        runs = read_runs(reference)
        if not runs:
            raise UsageError("the file holds no runs", where=reference)
        return runs
    if reference.startswith(COMMIT):
        prefix = reference.removeprefix(COMMIT)
        runs = store.runs(RunFilter(commit=prefix), samples=True, oldest_first=True) if prefix else []
        if not runs:
            raise UsageError(f"no run was stored at commit '{prefix}'", hint="see 'eamdeploy history'")
        return list(latest(runs).values())
    return [store.get(reference)]


def find_run(store: Store, reference: str) -> Run:
    """The one run that ``reference`` names, as for :func:`find_runs`.

    Raises:
        MeasurementError: when it is an artifact that was changed since it was measured.
        UsageError: when it names nothing, or a file of several runs.
    """
    runs = find_runs(store, reference)
    if len(runs) > 1:
        names = ", ".join(title(run) for run in runs[:4])
        hint = "import them with 'eamdeploy history import', then name one by its id"
        raise UsageError(f"'{reference}' holds {len(runs)} runs", where=names, hint=hint)
    return runs[0]


def _is_file_of_runs(reference: str) -> bool:
    """By its ending, or by what it begins with; an artifact is neither."""
    path = Path(reference)
    if path.suffix in _FILE_SUFFIXES or (path.exists() and not path.is_file() and not path.is_dir()):
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(64).lstrip()[:1] == b"{"
