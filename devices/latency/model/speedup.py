"""What more threads bring: one number for each count, from networks measured with several counts on one board.

Measured speed-ups of one board, runtime and precision differ little from network to network (a few percent to a
tenth), but a lot between boards, runtimes and precisions, and four threads can be no faster than three.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, pstdev

PARALLEL = 0.75  # share of the work that threads divide, where only one count was measured
ROUNDS = 10


@dataclass(frozen=True)
class Speedup:
    """Change of the logarithm of a latency from one thread to n.

    Attributes:
        measured: by number of threads; empty where threads are not stated.
        scatter: how far single networks are from it, standard deviation.
    """

    measured: Mapping[int, float] = field(default_factory=dict)
    scatter: float = 0.0

    def log_change(self, threads: int) -> float:
        """From one thread to `threads`; 0 where threads are not stated."""
        if threads <= 1 and threads not in self.measured:
            return 0.0
        if threads in self.measured:
            return self.measured[threads]
        return math.log(1 - self.parallel + self.parallel / threads)

    @property
    def parallel(self) -> float:
        """The share of the work that threads divide, from the largest count measured."""
        most = max(self.measured, default=1)
        if most <= 1:
            return PARALLEL
        share = (1 - math.exp(self.measured[most])) / (1 - 1 / most)
        return min(max(share, 0.0), 1.0)

    @property
    def most(self) -> int:
        """The largest count measured."""
        return max(self.measured, default=0)


def fit_speedup(timed: Sequence[Sequence[tuple[int, float]]]) -> Speedup:
    """Fit a level for each network and a change for each thread count, by medians in turns.

    Args:
        timed: of each network the runs: threads (0 where not stated) and log milliseconds.
    """
    counts = sorted({n for runs in timed for n, _ in runs})
    if counts in ([], [0]):
        return Speedup()
    change = {n: math.log(1 - PARALLEL + PARALLEL / n) if n > 1 else 0.0 for n in counts}
    several = [runs for runs in timed if len({n for n, _ in runs}) > 1]
    if not several:
        return Speedup(change)
    for _ in range(ROUNDS):
        levels = [median(log - change[n] for n, log in runs) for runs in several]
        factors_by_threads: dict[int, list[float]] = {}
        for level, runs in zip(levels, several, strict=True):
            for n, log in runs:
                factors_by_threads.setdefault(n, []).append(log - level)
        base = median(factors_by_threads[1]) if 1 in factors_by_threads else 0.0
        change |= {n: median(values) - base for n, values in factors_by_threads.items()}
    residuals = [log - level - change[n] for level, runs in zip(levels, several, strict=True) for n, log in runs]
    return Speedup({n: round(change[n], 5) for n in counts}, pstdev(residuals))
