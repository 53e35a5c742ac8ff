"""The gate: the baseline from the store or a file, the current runs, the verdict."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from eamdeploy.base.errors import UsageError, did_you_mean
from eamdeploy.base.files import atomic_write_text
from eamdeploy.base.results import Run, to_dict
from eamdeploy.runs.compare import SETTINGS, Comparison, SessionNoise, compare_runs, session_noise
from eamdeploy.runs.findings import Check, Location
from eamdeploy.runs.gate.judge import QUESTIONS, judge, title
from eamdeploy.runs.gate.model import GateResult, Thresholds, name_of
from eamdeploy.runs.gate.pairing import key_of, latest, newest, pair, settings_of
from eamdeploy.runs.gate.references import find_run, find_runs
from eamdeploy.runs.gate.unjudged import changed_since
from eamdeploy.runs.store import RunFilter, Store
from eamdeploy.runs.store.places import place_of

# until the store has three sessions to tell: what a quiet virtual machine was seen to need (docs/how-to/gate.md)
ASSUMED_SESSION_NOISE = SessionNoise(0.05)
MISSING = "missing"
NAMES = (*(question.name for question in QUESTIONS), SETTINGS, MISSING)


def run_gate(
    store: Store,
    baseline: str,
    current: Sequence[str] = (),
    *,
    thresholds: Thresholds | None = None,
    allow_skipped: Iterable[str] = (),
) -> GateResult:
    """Hold the current runs against the baseline.

    Args:
        baseline: a file of runs, ``commit:PREFIX`` (the latest runs stored at that commit), or a run of the store.
        current: files or runs; left out, the latest stored runs of what the baseline measured.
        allow_skipped: names of checks that may pass unjudged: ``latency``, ``accuracy``, …; ``settings`` is a latency
            of a machine that was set otherwise, and ``missing`` a baseline run without a counterpart, which fails otherwise.

    Raises:
        MeasurementError: when an artifact was changed since it was measured.
        UsageError: when there is no baseline, nothing to hold against it, or a reference or a name means nothing.
    """
    limits = thresholds or Thresholds()
    allowed = _known(allow_skipped)
    old = find_runs(store, baseline)
    new = [run for reference in current for run in find_runs(store, reference)]
    if not current:
        new = _latest_stored(store, old)
    pairs = pair(old, new)
    if not pairs.pairs:
        names = ", ".join(sorted({title(run) for run in old}))
        hint = "measure it with 'eamdeploy bench', or name the run with `current`"
        raise UsageError("nothing was measured to hold against the baseline", where=names, hint=hint)
    repeats = _Repeats(store)
    comparisons = tuple(_compare(repeats, a, b) for a, b in pairs.pairs)
    checks = [
        check
        for comparison in comparisons
        for check in judge(comparison, limits, stale=None if current else changed_since(comparison.b))
    ]
    checks += _not_asked(comparisons, checks, limits.required)
    checks += [_missing(run, MISSING in allowed) for run in pairs.unmatched]
    if not checks:
        raise UsageError(
            "the runs have no figure in common that a threshold asks for",
            where=", ".join(title(b) for _, b in pairs.pairs),
            hint="measure latency, accuracy or instructions on both sides",
        )
    checks = [replace(check, required=check.required and name_of(check) not in allowed) for check in checks]
    return GateResult(tuple(checks), comparisons, limits)


def compare_references(store: Store, a: str, b: str) -> Comparison:
    """Compare run ``b`` with run ``a``, each named as for :func:`eamdeploy.runs.gate.references.find_runs`.

    Raises:
        MeasurementError: when an artifact was changed since it was measured.
        UsageError: when a reference names nothing, or a file of several runs.
    """
    return _compare(_Repeats(store), find_run(store, a), find_run(store, b))


def write_baseline(store: Store, path: Path | str, references: Sequence[str]) -> list[Run]:
    """Write the named runs to a file that belongs into a repository: all that a gate needs, nothing that it does not.

    Returns:
        The runs written.

    Raises:
        MeasurementError: when an artifact was changed since it was measured.
        UsageError: when a reference names nothing or the file cannot be written.
    """
    runs = list(newest(run for reference in references for run in find_runs(store, reference)).values())
    slim = [replace(run, conditions=replace(run.conditions, samples=()), per_layer=()) for run in runs]
    # one run a line: a new baseline is a readable diff
    lines = ",\n".join(json.dumps(to_dict(run)) for run in slim)
    atomic_write_text(path, f'{{"schema": "eamdeploy/baseline", "schema_version": 1, "runs": [\n{lines}\n]}}\n')
    return runs


def known_name(name: str) -> str:
    """``name``, if a check is called so.

    Raises:
        UsageError: when none is.
    """
    if name not in NAMES:
        raise UsageError(f"no check of the gate is called '{name}'", hint=did_you_mean(name, NAMES))
    return name


def _known(names: Iterable[str]) -> frozenset[str]:
    return frozenset(known_name(name) for name in names)


def _not_asked(comparisons: Sequence[Comparison], existing: Sequence[Check], required: frozenset[str]) -> list[Check]:
    """What was required and no run of an artifact has measured; its accuracy and its instructions may be runs apart."""
    judged = {(place_of(check.location.path), check.name) for check in existing if check.location is not None}
    checks = []
    for place, run in sorted({place_of(comparison.b.artifact): comparison.b for comparison in comparisons}.items()):
        for question in QUESTIONS:
            if question.name in required and not judged & {(place, metric) for metric in question.metrics}:
                why = "not judged: neither run has measured it"
                checks.append(
                    Check(
                        question.metric,
                        False,
                        message=why,
                        group=title(run),
                        rule=question.rule,
                        skipped=True,
                        required=True,
                        location=Location(place),
                    )
                )
    return checks


class _Repeats:
    """What the store has of a run's device and runtime; one gate reads it once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._runs_by_place: dict[tuple[str, str], list[Run]] = {}

    def of(self, run: Run) -> list[Run]:
        """The latest stored runs that may be repeats of ``run`` or of its neighbours."""
        if not self._store.path.exists():
            return []  # a gate between two files needs no store
        place = (run.device, run.runtime)
        if place not in self._runs_by_place:
            self._runs_by_place[place] = self._store.runs(RunFilter(device=run.device, runtime=run.runtime), limit=200)
        return self._runs_by_place[place]


def _compare(repeats: _Repeats, a: Run, b: Run) -> Comparison:
    # what is being judged must not be taken for noise
    stored = [run for run in repeats.of(b) if run.id not in (a.id, b.id)]
    return compare_runs(a, b, session_noise=session_noise(stored, b) or ASSUMED_SESSION_NOISE)


def _latest_stored(store: Store, baseline: Sequence[Run]) -> list[Run]:
    """The latest stored runs at the baseline's places; where there is none, those of the same content elsewhere."""
    baseline_ids = {run.id for run in baseline}
    places = {key_of(run) for run in baseline}
    contents = {(run.artifact_sha256, *settings_of(run)) for run in baseline}
    named = [*{Path(run.artifact).name for run in baseline}, *{run.artifact_sha256 for run in baseline}]
    candidates = (run for name in named for run in store.runs(RunFilter(artifact=name), oldest_first=True))
    stored = {run.id: run for run in candidates if run.id not in baseline_ids}
    last = latest(
        run for run in stored.values() if key_of(run) in places or (run.artifact_sha256, *settings_of(run)) in contents
    )
    return [store.get(run.id) for run in last.values()]


def _missing(run: Run, allowed: bool) -> Check:
    place = Location(run.artifact)
    return Check(
        "measured",
        False,
        message="nothing was measured for it",
        group=title(run),
        rule="gate/missing",
        skipped=allowed,
        location=place,
    )
