"""Which run is held against which: the same artifact by name, on the same device with the same settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eamdeploy.base.results import Run

Key = tuple[object, ...]


@dataclass(frozen=True)
class Pairing:
    """Pairs of a baseline run and a current run, and the baseline runs that have no counterpart."""

    pairs: tuple[tuple[Run, Run], ...]
    unmatched: tuple[Run, ...] = ()


def key_of(run: Run) -> Key:
    """What has to be equal for two runs to be the same measurement at two times."""
    # instructions are counted in runs of their own, beside those that measure the same artifact's accuracy
    counted = run.instructions is not None
    return (Path(run.artifact).name, run.device, run.board, run.runtime, run.threads, run.precision, run.batch, counted)


def pair(baseline: Sequence[Run], current: Sequence[Run]) -> Pairing:
    """Match by :func:`key_of`, the latest first; one run against one run need not match."""
    if len(baseline) == len(current) == 1:
        return Pairing(((baseline[0], current[0]),))
    newest = latest(current)
    pairs = tuple((run, newest[key_of(run)]) for run in latest(baseline).values() if key_of(run) in newest)
    unmatched = tuple(run for run in latest(baseline).values() if key_of(run) not in newest)
    return Pairing(pairs, unmatched)


def latest(runs: Iterable[Run]) -> dict[Key, Run]:
    """The run of each key that comes last: in a store the one that arrived last, whatever date it gives itself."""
    return {key_of(run): run for run in runs}
