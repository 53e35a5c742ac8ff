"""The gate: the baseline from the store or a file, the current runs, the verdict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from eamdeploy.base.errors import UsageError
from eamdeploy.base.files import atomic_write_text
from eamdeploy.base.results import Run, to_dict
from eamdeploy.runs.compare import Comparison, SessionNoise, compare_runs, session_noise
from eamdeploy.runs.findings import Check, Location
from eamdeploy.runs.gate.judge import judge, title
from eamdeploy.runs.gate.model import GateResult, Thresholds
from eamdeploy.runs.gate.pairing import key_of, latest, pair
from eamdeploy.runs.store import RunFilter, Store, read_runs

COMMIT = "commit:"
# until the store has three sessions to tell: what a quiet virtual machine was seen to need (docs/gate.md)
ASSUMED_SESSION_NOISE = SessionNoise(0.05)
_FILE_SUFFIXES = (".json", ".jsonl", ".gz")


def run_gate(
    store: Store,
    baseline: str,
    current: Sequence[str] = (),
    *,
    thresholds: Thresholds | None = None,
    allow_missing: bool = False,
) -> GateResult:
    """Hold the current runs against the baseline.

    Args:
        baseline: a file of runs, ``commit:PREFIX`` (the latest runs stored at that commit), or a run of the store.
        current: files or runs; left out, the latest stored runs of what the baseline measured.
        allow_missing: a baseline run without a counterpart is skipped, not failed.

    Raises:
        UsageError: when there is no baseline, nothing to hold against it, or a reference names nothing.
    """
    limits = thresholds or Thresholds()
    old = find_runs(store, baseline)
    new = [run for reference in current for run in find_runs(store, reference)]
    if not current:
        new = _latest_stored(store, old)
    found = pair(old, new)
    if not found.pairs:
        names = ", ".join(sorted({title(run) for run in old}))
        hint = "measure it with 'eamdeploy bench', or name the run with --current"
        raise UsageError("nothing was measured to hold against the baseline", where=names, hint=hint)
    repeats = _Repeats(store)
    comparisons = tuple(_compare(repeats, a, b) for a, b in found.pairs)
    checks = [check for comparison in comparisons for check in judge(comparison, limits)]
    checks += [_missing(run, allow_missing) for run in found.unmatched]
    if not checks:
        raise UsageError(
            "the runs have no figure in common that a threshold asks for",
            where=", ".join(title(b) for _, b in found.pairs),
            hint="measure latency, accuracy or instructions on both sides",
        )
    return GateResult(tuple(checks), comparisons, limits)


def find_runs(store: Store, reference: str) -> list[Run]:
    """The runs that ``reference`` names, with their samples: a file of runs, ``commit:PREFIX``, or a run of the store.

    Raises:
        UsageError: when it names nothing.
    """
    if Path(reference).suffix in _FILE_SUFFIXES or "/" in reference:
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


def compare_references(store: Store, a: str, b: str) -> Comparison:
    """Compare run ``b`` with run ``a``, each named as for :func:`find_runs`.

    Raises:
        UsageError: when a reference names nothing, or a file of several runs.
    """
    return _compare(_Repeats(store), _one(store, a), _one(store, b))


def write_baseline(store: Store, path: Path | str, references: Sequence[str]) -> list[Run]:
    """Write the named runs to a file that belongs into a repository: all that a gate needs, nothing that it does not.

    Returns:
        The runs written.

    Raises:
        UsageError: when a reference names nothing or the file cannot be written.
    """
    runs = list(latest(run for reference in references for run in find_runs(store, reference)).values())
    slim = [replace(run, conditions=replace(run.conditions, samples=()), per_layer=()) for run in runs]
    # one run a line: a new baseline is a readable diff
    lines = ",\n".join(json.dumps(to_dict(run)) for run in slim)
    atomic_write_text(path, f'{{"schema": "eamdeploy/baseline", "schema_version": 1, "runs": [\n{lines}\n]}}\n')
    return runs


def _one(store: Store, reference: str) -> Run:
    runs = find_runs(store, reference)
    if len(runs) > 1:
        names = ", ".join(title(run) for run in runs[:4])
        hint = "import them with 'eamdeploy history import', then name one by its id"
        raise UsageError(f"'{reference}' holds {len(runs)} runs", where=names, hint=hint)
    return runs[0]


class _Repeats:
    """What the store has of a run's device and runtime; one gate reads it once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[tuple[str, str], list[Run]] = {}

    def of(self, run: Run) -> list[Run]:
        """The latest stored runs that may be repeats of ``run`` or of its neighbours."""
        if not self._store.path.exists():
            return []  # a gate between two files needs no store
        place = (run.device, run.runtime)
        if place not in self._read:
            self._read[place] = self._store.runs(RunFilter(device=run.device, runtime=run.runtime), limit=200)
        return self._read[place]


def _compare(repeats: _Repeats, a: Run, b: Run) -> Comparison:
    # what is being judged must not be taken for noise
    stored = [run for run in repeats.of(b) if run.id not in (a.id, b.id)]
    return compare_runs(a, b, session_noise=session_noise(stored, b) or ASSUMED_SESSION_NOISE)


def _latest_stored(store: Store, baseline: Sequence[Run]) -> list[Run]:
    taken = {run.id for run in baseline}
    wanted = {key_of(run) for run in baseline}
    names = {Path(run.artifact).name for run in baseline}
    stored = [run for name in sorted(names) for run in store.runs(RunFilter(artifact=name), oldest_first=True)]
    newest = latest(run for run in stored if run.id not in taken and key_of(run) in wanted)
    return [store.get(run.id) for run in newest.values()]


def _missing(run: Run, allowed: bool) -> Check:
    place = Location(run.artifact)
    return Check("measured", False, "nothing was measured for it", title(run), "gate/missing", allowed, location=place)
