"""A against A: how large a difference this board shows where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from eamdeploy.base.errors import MeasurementError, UsageError
from eamdeploy.base.results import Latency, Run
from eamdeploy.measurement.evidence.statistics import relative_difference
from eamdeploy.measurement.report import Failure, SelfCheck
from eamdeploy.measurement.request import Request

_LABELS = ("(A)", "(A again)")
_SPLITS = 2000


def doubled(request: Request) -> Request:
    """The request's only case twice, interleaved with itself.

    Raises:
        UsageError: there is more than one case.
    """
    if len(request.cases) != 1:
        hint = "give one artifact, one runtime and one number of threads"
        raise UsageError("a self-check measures one artifact against itself", hint=hint)
    return replace(request, cases=tuple(replace(request.cases[0], label=label) for label in _LABELS))


def self_check(board: str, runs: Sequence[Run]) -> SelfCheck | None:
    """Compare the two runs of a doubled request; None when there are not two with a latency."""
    timed = [run for run in runs if run.latency_ms is not None and run.latency_ms.samples]
    if len(timed) != 2:
        return None
    first, two = (_blocks(run.latency_ms) for run in timed)
    difference, ci95 = relative_difference(first, two)
    intervals = [run.latency_ms.ci95 for run in timed if run.latency_ms is not None and run.latency_ms.ci95]
    agree = max(low for low, _ in intervals) <= min(high for _, high in intervals)
    return SelfCheck(
        board, timed[0].artifact, difference=difference, ci95=ci95, floor=noise_floor([*first, *two]), agree=agree
    )


def not_made(board: str) -> Failure:
    """A self-check that was asked for and is not there: nothing on the board was timed twice."""
    hint = "ask for it on this host or on a board of yours, where inferences are timed"
    error = MeasurementError("the self-check could not be judged", where=board, why="no two latencies", hint=hint)
    return Failure(board, None, error)


def noise_floor(blocks: Sequence[Sequence[float]], *, seed: int = 0) -> float:
    """Split blocks of the same artifact at random into halves: 95 % of the differences are smaller than this share."""
    medians = np.asarray([np.median(block) for block in blocks])
    generator = np.random.default_rng(seed)
    half = len(medians) // 2
    differences = np.empty(_SPLITS)
    for index in range(_SPLITS):
        order = generator.permutation(len(medians))
        ones, twos = np.median(medians[order[:half]]), np.median(medians[order[half:]])
        differences[index] = abs(twos / ones - 1)
    return float(np.percentile(differences, 95))


def _blocks(latency: Latency | None) -> list[list[float]]:
    if latency is None:
        return []
    blocks: dict[int, list[float]] = {}
    for number, sample in zip(latency.block, latency.samples, strict=True):
        blocks.setdefault(number, []).append(sample)
    return [blocks[number] for number in sorted(blocks)]
