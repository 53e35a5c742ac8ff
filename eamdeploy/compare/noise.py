"""How far the same artifact's median wanders from one session to the next, learnt from stored repeats."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable

from eamdeploy.results import Run

MIN_SESSIONS = 3
# so many sessions that one strange one does not decide, and old ones do not for ever
MAX_SESSIONS = 20


def session_noise(runs: Iterable[Run], like: Run) -> float | None:
    """The relative standard deviation of the median latency over sessions of ``like``'s artifact on its machine.

    Args:
        runs: any runs, latest first; those that are not repeats of ``like`` are passed over.

    Returns:
        A fraction, or ``None`` with fewer than three sessions.
    """
    medians: dict[str, float] = {}
    for run in runs:
        if _key(run) == _key(like) and run.latency_ms and run.verdict.state != "invalid":
            # runs that were interleaved are one session
            medians.setdefault(run.group or run.id, run.latency_ms.p50)
    values = [math.log(value) for value in list(medians.values())[:MAX_SESSIONS] if value > 0.0]
    return statistics.stdev(values) if len(values) >= MIN_SESSIONS else None


def _key(run: Run) -> tuple[object, ...]:
    machine = (run.device, run.board, run.provenance.board, run.provenance.kind)
    return (run.artifact_sha256, *machine, run.runtime, run.threads, run.batch)
