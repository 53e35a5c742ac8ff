"""Instructions of an inference: as few inferences as agree, since each takes seconds on an emulated board."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import pytest

from eamdeploy.base.errors import MeasurementError
from eamdeploy.measurement import board_job
from eamdeploy.measurement.work import BoardWork
from tests.recorded_progress import RecordedProgress


class _CountedSession:
    """A board whose inferences take what they are told to; stands for the minutes of an emulated one."""

    def __init__(self, counts: list[int]) -> None:
        self.counts = iter(counts)

    def worker(self) -> _CountedSession:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def push(self, path: Path) -> str:
        return str(path)

    async def load(self, *_: object) -> dict[str, str]:
        return {}

    async def once(self, *, batch: int) -> int:
        del batch
        return next(self.counts)


def _count(counts: list[int]) -> tuple[int | None, list[str]]:
    progress = RecordedProgress()
    case = SimpleNamespace(title="net.onnx", artifact=Path("net.onnx"), runtime="onnxruntime", options=None, batch=1)
    result, request = SimpleNamespace(case=case, load={}, instructions=None), SimpleNamespace(progress=progress)
    asyncio.run(board_job._count(_CountedSession(counts), result, request, BoardWork(progress)))
    return result.instructions, progress.sentences


def test_the_first_and_three_that_agree_are_enough() -> None:
    instructions, sentences = _count([9_000_000, 5_020_000, 5_000_000, 5_010_000])
    assert instructions == 5_010_000
    assert sentences[-1] == "net.onnx: inference 4: 5.0 million instructions"


@pytest.mark.parametrize(
    "counts",
    [
        [9_000_000, 5_900_000, 5_000_000, 5_000_000, 5_000_000],
        # disturbed alike: a runtime that now and then fetches its memory anew
        [9_000_000, 5_100_000, 5_100_000, 5_000_000, 5_000_000, 5_000_000],
        [9_000_000, 5_000_000, 5_100_000, 5_000_000, 5_100_000, 5_000_000],
    ],
)
def test_those_that_were_disturbed_are_passed_over(counts: list[int]) -> None:
    assert _count(counts)[0] == 5_000_000


def test_counts_that_never_agree_are_no_result() -> None:
    with pytest.raises(MeasurementError, match=r"no 3 agree to 0\.5%"):
        _count([5_000_000 + 500_000 * number for number in range(10)])
