"""How far one artifact's median wanders from a session to the next on a machine, learnt from stored repeats."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from eamdeploy.results import Run

MIN_SESSIONS = 3
# so many sessions of an artifact that one strange one does not decide, and old ones do not for ever
MAX_SESSIONS = 20
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
        runs: any runs, latest first; those of other machines, runtimes, threads or batches are passed over.

    Returns:
        ``None`` with fewer repeats than three sessions of one artifact give.
    """
    sessions: dict[str, dict[str, float]] = defaultdict(dict)
    for run in runs:
        if _key(run) == _key(like) and run.latency_ms and run.latency_ms.p50 > 0.0 and run.verdict.state != "invalid":
            # runs that were interleaved are one session
            sessions[run.artifact_sha256].setdefault(run.group or run.id, run.latency_ms.p50)
    squares, freedom = 0.0, 0
    for medians in sessions.values():
        values = [math.log(value) for value in list(medians.values())[:MAX_SESSIONS]]
        if len(values) > 1:
            squares += statistics.variance(values) * (len(values) - 1)
            freedom += len(values) - 1
    if freedom < MIN_SESSIONS - 1:
        return None
    return SessionNoise(max(LEAST, math.sqrt(squares / freedom)), freedom)


def _key(run: Run) -> tuple[object, ...]:
    machine = (run.device, run.board, run.provenance.board, run.provenance.kind)
    return (*machine, run.runtime, run.threads, run.batch)
