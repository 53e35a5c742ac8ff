"""The same job on many boards: what is bad stays with its board."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time

import pytest

from devices.session.fanout import BoardProgress, run_on_boards
from eamdeploy.base.errors import BoardUnreachable, InternalError, MeasurementError
from tests.devices.board_server import BoardServer


async def _job(transport):
    folder = await transport.workdir()
    done = await transport.run([*transport.python, "-c", "import time; time.sleep(1.0); print('measured')"])
    return f"{transport.name} {done.text} {bool(folder)}"


def test_eight_boards_two_of_which_fail(tmp_path, run):
    """Six results, two errors that name their board, in less than 1.5 times the slowest board's own time."""

    async def scenario():
        async with contextlib.AsyncExitStack() as stack:
            boards = [await stack.enter_async_context(BoardServer(tmp_path / f"b{n}")) for n in range(8)]
            await boards[2].stop()
            transports = [board.transport(f"pi{n}", python=(sys.executable,)) for n, board in enumerate(boards)]
            states, arrivals = [], []

            async def job(transport):
                if transport.name == "pi5":
                    boards[5].cut()
                return await _job(transport)

            started = time.monotonic()
            outcomes = await run_on_boards(
                transports, job, what="bench", on_change=states.append, on_outcome=arrivals.append
            )
            elapsed = time.monotonic() - started

            assert [outcome.board for outcome in outcomes] == [f"pi{n}" for n in range(8)]
            failed = {outcome.board: str(outcome.error) for outcome in outcomes if outcome.error}
            assert failed.keys() == {"pi2", "pi5"}
            assert "refuses the connection" in failed["pi2"]
            assert "pi2" in failed["pi2"]
            assert "lost" in failed["pi5"]
            for outcome in outcomes:
                assert (outcome.result is None) == (outcome.board in failed)
                if outcome.result:
                    assert outcome.result == f"{outcome.board} measured True"
            assert elapsed < 1.5 * max(outcome.elapsed_s for outcome in outcomes)
            assert elapsed < 8 * 1.0  # they did not wait for each other
            assert sorted(outcome.board for outcome in arrivals) == [f"pi{n}" for n in range(8)]
            assert BoardProgress("pi0", "running") in states
            assert [item.state for item in states if item.board == "pi2"] == ["connecting", "failed"]
            for board in boards:
                assert [path.name for path in board.tmp.iterdir()] in ([], ["eamdeploy-board.lock"])

    run(scenario())


def test_results_are_handed_over_as_they_come(tmp_path, run):
    async def scenario():
        async with BoardServer(tmp_path / "slow") as slow, BoardServer(tmp_path / "fast") as fast:
            at = {}

            async def job(transport):
                await transport.run(["sleep", "1.5" if transport.name == "slow" else "0"])

            started = time.monotonic()
            await run_on_boards(
                [slow.transport("slow", python=(sys.executable,)), fast.transport("fast", python=(sys.executable,))],
                job,
                what="bench",
                on_outcome=lambda outcome: at.setdefault(outcome.board, time.monotonic() - started),
            )
            assert list(at) == ["fast", "slow"]
            assert at["slow"] - at["fast"] > 1

    run(scenario())


def test_a_bug_in_a_job_is_one_board_s_error(tmp_path, run):
    async def scenario():
        async with BoardServer(tmp_path / "a") as a, BoardServer(tmp_path / "b") as b:

            async def job(transport):
                if transport.name == "a":
                    raise ZeroDivisionError("oops")
                raise MeasurementError("throttled")

            outcomes = await run_on_boards(
                [a.transport("a", python=(sys.executable,)), b.transport("b", python=(sys.executable,))], job, what="x"
            )
            assert isinstance(outcomes[0].error, InternalError)
            assert isinstance(outcomes[0].error.__cause__, ZeroDivisionError)
            assert isinstance(outcomes[1].error, MeasurementError)

    run(scenario())


def test_interrupting_ends_everything_everywhere(tmp_path, run, until):
    async def scenario():
        async with BoardServer(tmp_path / "a") as a, BoardServer(tmp_path / "b") as b:
            transports = [a.transport("a", python=(sys.executable,)), b.transport("b", python=(sys.executable,))]

            async def job(transport):
                await transport.run(["sh", "-c", "sleep 1000; true", await transport.workdir()])

            task = asyncio.create_task(run_on_boards(transports, job, what="bench"))
            await until(lambda: len(a.running()) == 2 and len(b.running()) == 2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: not a.running() and not b.running())
            for board in (a, b):
                assert [path.name for path in board.tmp.iterdir()] == ["eamdeploy-board.lock"]

    run(scenario())


def test_one_board_twice_is_busy_or_waits(tmp_path, run):
    async def scenario():
        async with BoardServer(tmp_path) as board:
            twice = [board.transport("one", python=(sys.executable,)), board.transport("two", python=(sys.executable,))]
            outcomes = await run_on_boards(twice, _job, what="bench")
            assert sorted(type(outcome.error) is type(None) for outcome in outcomes) == [False, True]
            assert isinstance(next(outcome.error for outcome in outcomes if outcome.error), BoardUnreachable)
            twice = [board.transport("one", python=(sys.executable,)), board.transport("two", python=(sys.executable,))]
            assert all(outcome.result for outcome in await run_on_boards(twice, _job, what="bench", wait_s=30))

    run(scenario())
