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


def test_three_inferences_are_enough_where_they_agree() -> None:
    instructions, sentences = _count([9_000_000, 5_000_000, 5_010_000])
    assert instructions == 5_005_000
    assert sentences[-1] == "net.onnx: inference 3: 5.0 million instructions"


def test_one_that_was_disturbed_is_passed_over() -> None:
    assert _count([9_000_000, 5_900_000, 5_000_000, 5_000_000])[0] == 5_000_000


def test_counts_that_never_agree_are_no_result() -> None:
    with pytest.raises(MeasurementError, match=r"no two in a row agree to 0\.5%"):
        _count([5_000_000 + 500_000 * number for number in range(8)])
