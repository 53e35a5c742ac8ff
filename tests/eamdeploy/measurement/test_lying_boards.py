"""A board that answers wrongly: exit 5 or 6 with its name and the field, nothing stored as clean, the others' results kept."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest

from devices.session.deadlines import Deadlines
from devices.transports import lines
from eamdeploy.measurement import BenchTarget, Effort, Request, expand
from eamdeploy.measurement.accuracy.pictures import Pictures
from eamdeploy.measurement.board_job import BenchOutcome, run_board
from tests.devices.session.lies import LIES
from tests.devices.session.lying import LyingBoard, honest, line, one_lie

TARGET = BenchTarget("liar", "pi4", "liar", "measured", None)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Deadlines, "request_s", lambda *_: 2.0)
    monkeypatch.setattr(lines, "LINE_LIMIT_BYTES", 1 << 24)


async def _outcome(board: LyingBoard, request: Request) -> BenchOutcome:
    outcome, stored = BenchOutcome(TARGET), []
    pictures = Pictures(request)
    try:
        await run_board(board, outcome, pictures, stored.append)
    finally:
        await pictures.close()
    assert stored == outcome.runs
    return outcome


def test_a_hundred_lies(artifacts: tuple[Path, object], pictures: Path) -> None:
    assert len(LIES) >= 100
    cases = expand([artifacts[0] / "tiny.onnx"])
    timed = Request(cases, Effort(runs=40), accuracy=False)
    request = Request(cases, Effort(runs=40), latency=False, data=pictures, limit=4)

    async def all_of_them() -> list[BenchOutcome]:
        answers = []
        for batch in itertools.batched(LIES, 16) if hasattr(itertools, "batched") else _batches(LIES, 16):
            attempts = [
                _outcome(LyingBoard(one_lie(operation, change)), request if operation == "infer" else timed)
                for operation, _, change in batch
            ]
            answers += await asyncio.wait_for(asyncio.gather(*attempts), 60)
        return answers

    for (operation, name, _), outcome in zip(LIES, asyncio.run(all_of_them()), strict=True):
        what = f"{operation}: {name}"
        assert outcome.runs == [], what
        assert outcome.failures, what
        assert {failure.error.exit_code for failure in outcome.failures} <= {5, 6}, what
        assert all("liar" in str(failure.error) for failure in outcome.failures), what


def _batches(items: list, size: int) -> list:
    return [items[start : start + size] for start in range(0, len(items), size)]


def test_good_answers_are_kept_and_a_lie_spoils_only_its_own_artifact(artifacts: tuple[Path, object]) -> None:
    request = Request(
        expand([artifacts[0] / "tiny.onnx", artifacts[0] / "slower.onnx"]), Effort(runs=40), accuracy=False
    )
    requests = itertools.count()

    def answer(message):
        good = honest(message)
        if good is not None and message["op"] == "measure" and next(requests) == 1:  # the second artifact's first block
            good["timing"]["samples_ns"] = [-1] * 10
        if good is not None:
            yield line(good)

    outcome = asyncio.run(_outcome(LyingBoard(answer), request))
    assert [(Path(run.artifact).name, run.verdict.state) for run in outcome.runs] == [("tiny.onnx", "clean")]
    assert len(outcome.runs[0].latency_ms.samples) == 40
    (failure,) = outcome.failures
    assert "liar, field 'timing.samples_ns[0]'" in str(failure.error)


def test_the_answer_of_a_large_network_comes_in_pieces(artifacts: tuple[Path, object], pictures: Path) -> None:
    """21,000 classes: 84 kB an image, more than a channel's window for a shard."""
    request = Request(expand([artifacts[0] / "tiny.onnx"]), latency=False, data=pictures, limit=60)

    def answer(message):
        good = honest(message, outputs=21_000)
        if good is not None:
            text = line(good).encode()
            yield from (text[start : start + (1 << 20)] for start in range(0, len(text), 1 << 20))

    board = LyingBoard(answer)
    board.name = "host"  # no second opinion of this machine's
    outcome = asyncio.run(_outcome_of_host(board, request))
    assert outcome.failures == []
    assert outcome.runs[0].accuracy.n == 60
    assert len(outcome.runs[0].accuracy.confused) <= 60


async def _outcome_of_host(board: LyingBoard, request: Request) -> BenchOutcome:
    outcome = BenchOutcome(BenchTarget("host", "host", None, "measured", None))
    pictures = Pictures(request)
    await run_board(board, outcome, pictures, lambda _: None)
    await pictures.close()
    return outcome
