"""How far one artifact's median wanders from a session to the next on a machine, learnt from stored repeats."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from eamdeploy.base.results import Run

MIN_SESSIONS = 3
# so many sessions of an artifact that one strange one does not decide, and old ones do not for ever
MAX_SESSIONS = 20
# what is measured within ten minutes has seen the machine in one state, and is one session
APART_S = 600.0
# sessions of one afternoon are more alike than those of two months
LEAST = 0.01


@dataclass(frozen=True)
class SessionNoise:
    """What changes between two sessions of one artifact on one machine.

    Attributes:
        relative: standard deviation of the median latency, as a fraction of it.
        freedom: degrees of freedom behind it (sessions less artifacts); infinite where it is assumed, not learnt.
    """

    relative: float
    freedom: float = math.inf


def session_noise(runs: Iterable[Run], like: Run) -> SessionNoise | None:
    """The noise between sessions on ``like``'s machine, pooled over every artifact that was measured there again.

    Args:
        runs: any runs; those of other machines, runtimes, threads or batches, and those without a time, are passed over.

    Returns:
        ``None`` with fewer repeats than three sessions of one artifact give.
    """
    measured: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for run in runs:
        if _key(run) == _key(like) and run.latency_ms and run.latency_ms.p50 > 0.0 and run.verdict.state != "invalid":
            when = _seconds(run.provenance.when)
            if when is not None:
                measured[run.artifact_sha256].append((when, math.log(run.latency_ms.p50)))
    squares, freedom = 0.0, 0
    for readings in measured.values():
        values = _sessions(readings)[-MAX_SESSIONS:]
        if len(values) > 1:
            squares += statistics.variance(values) * (len(values) - 1)
            freedom += len(values) - 1
    if freedom < MIN_SESSIONS - 1:
        return None
    return SessionNoise(max(LEAST, math.sqrt(squares / freedom)), freedom)


def _sessions(readings: Iterable[tuple[float, float]]) -> list[float]:
    """The median of each session's values, oldest first; ``readings`` are (seconds, value)."""
    sessions: list[tuple[float, list[float]]] = []
    for when, value in sorted(readings):
        if not sessions or when - sessions[-1][0] >= APART_S:
            sessions.append((when, []))
        sessions[-1][1].append(value)
    return [statistics.median(values) for _, values in sessions]


def _seconds(when: str) -> float | None:
    try:
        return datetime.fromisoformat(when).timestamp()
    except ValueError:
        return None


def _key(run: Run) -> tuple[object, ...]:
    machine = (run.device, run.board, run.provenance.board, run.provenance.kind)
    return (*machine, run.runtime, run.threads, run.batch)
