"""Which run is held against which: the same artifact, by place or by content, on the same device with the same settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from eamdeploy.base.results import Run
from eamdeploy.runs.store.places import moment_of, place_of

Key = tuple[object, ...]
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Pairing:
    """Pairs of a baseline run and a current run, and the baseline runs that have no counterpart."""

    pairs: tuple[tuple[Run, Run], ...]
    unmatched: tuple[Run, ...] = ()


def settings_of(run: Run) -> Key:
    """How a run was measured; equal for two runs that are the same measurement at two times."""
    # instructions are counted in runs of their own, beside those that measure the same artifact's accuracy
    counted = run.instructions is not None
    # and an emulated board's accuracy stands beside the estimate of the same file's latency
    estimate = run.provenance.kind == "estimated"
    return (run.device, run.board, run.runtime, run.threads, run.precision, run.batch, counted, estimate)


def key_of(run: Run) -> Key:
    """The artifact's place, and how it was measured."""
    return (place_of(run.artifact), *settings_of(run))


def pair(baseline: Sequence[Run], current: Sequence[Run]) -> Pairing:
    """Match by place, then by content, then by the place within each side's own folder; never by file name alone.

    One run against one run need not match. Of several runs of one artifact and setting the latest counts.
    """
    if len(baseline) == len(current) == 1:
        return Pairing(((baseline[0], current[0]),))
    old, new = list(newest(baseline).values()), list(newest(current).values())
    inside_old, inside_new = _inside(old), _inside(new)
    pairs: list[tuple[Run, Run]] = []
    for left, right in ((key_of, key_of), (_content, _content), (inside_old, inside_new)):
        partner = _unique(new, right)
        for run in _unique(old, left).values():
            if (other := partner.get(left(run))) is not None:
                pairs.append((run, other))
                old.remove(run)
                new.remove(other)
    return Pairing(tuple(sorted(pairs, key=lambda two: str(key_of(two[0])))), tuple(sorted(old, key=_name)))


def latest(runs: Iterable[Run]) -> dict[Key, Run]:
    """The run of each key that comes last: in a store the one that arrived last, whatever date it gives itself."""
    return {key_of(run): run for run in runs}


def newest(runs: Iterable[Run]) -> dict[Key, Run]:
    """The run of each key that was measured last, whatever order a file has them in."""
    return latest(sorted(runs, key=lambda run: (moment_of(run) or _NEVER, run.id)))


def _content(run: Run) -> Key:
    return (run.artifact_sha256, *settings_of(run))


def _name(run: Run) -> str:
    return str(key_of(run))


def _inside(runs: Sequence[Run]) -> Callable[[Run], Key]:
    """The place of a run below the folder that all of ``runs`` lie in: ``new/`` may be held against ``old/``."""
    folders = [os.path.dirname(place_of(run.artifact)) for run in runs]  # noqa: PTH120  # not a Path: "" is a folder too
    try:
        root = os.path.commonpath(folders) if folders else ""
    except ValueError:  # absolute and relative places have nothing in common
        root = ""
    return lambda run: (os.path.relpath(place_of(run.artifact), root or os.curdir), *settings_of(run))


def _unique(runs: Sequence[Run], key: Callable[[Run], Key]) -> dict[Key, Run]:
    """Runs by key; what two runs share names neither."""
    counted: dict[Key, list[Run]] = {}
    for run in runs:
        counted.setdefault(key(run), []).append(run)
    return {name: same[0] for name, same in counted.items() if len(same) == 1}
