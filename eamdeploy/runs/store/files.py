"""Runs in files: what ``bench --json`` printed, a gate's baseline, a history export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eamdeploy.base.decoding import check_run, decode, read_limited
from eamdeploy.base.errors import UsageError
from eamdeploy.base.results import Run
from eamdeploy.runs.store.transfer import read_export

FILE_LIMIT_BYTES = 512 * 1024 * 1024
_WHAT = "this is not a file of runs"
_HINT = "it should be what 'eamdeploy bench --json' or 'eamdeploy gate --write-baseline' wrote"


@dataclass
class _RunsDocument:
    runs: list[Run]


def read_runs(path: Path | str) -> list[Run]:
    """The runs of a file.

    Raises:
        UsageError: when it cannot be read or holds no runs.
    """
    source = Path(path)
    if source.suffix in (".jsonl", ".gz"):
        return [run for run, _ in read_export(source)]
    content = read_limited(source, FILE_LIMIT_BYTES, what="cannot read the runs")
    runs = decode(_RunsDocument, content, where=path, what=_WHAT, hint=_HINT).runs
    for number, run in enumerate(runs):
        check_run(run, where=f"{path}, runs[{number}]", what=_WHAT, hint=_HINT)
    ids = [run.id for run in runs]
    if len(set(ids)) < len(ids):
        double = next(name for name in ids if ids.count(name) > 1)
        raise UsageError(_WHAT, where=path, why=f"two of its runs are called '{double}'", hint=_HINT)
    return runs
