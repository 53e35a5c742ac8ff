"""One job per board at a time: the lock on the board, its holder's death, its leftovers."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import signal
import sys
from pathlib import Path

import pytest

from devices.session.lock import Holder, board_lock
from devices.transports.local import LocalTransport
from eamdeploy.base.errors import BoardBusy, MissingDependency
from tests.devices.board_server import BoardServer

LOCK = "eamdeploy-board.lock"


def _python(board):
    return board.transport(python=(sys.executable,))


def test_a_second_job_is_told_who_has_the_board(tmp_path, run):
    async def scenario():
        async with BoardServer(tmp_path) as board:
            first, second = _python(board), _python(board)
            async with board_lock(first, job="bench a.onnx") as lock:
                assert Path(lock.work_root).is_dir()
                assert lock.stale is None
                with pytest.raises(
                    BoardBusy, match=r"the board is busy .*@.* running 'bench a.onnx' on it since 20"
                ) as busy:
                    async with board_lock(second, job="other"):
                        pytest.fail("two jobs hold one lock")
                assert busy.value.exit_code == 6
            assert not Path(lock.work_root).exists()
            async with board_lock(second, job="other"):
                pass
            assert (board.tmp / LOCK).read_text() == ""
            await first.close()
            await second.close()

    run(scenario())


def test_a_second_job_can_wait(tmp_path, run):
    async def scenario():
        async with BoardServer(tmp_path) as board:
            first, second = _python(board), _python(board)
            order = []

            async def hold():
                async with board_lock(first, job="first"):
                    order.append("first")
                    started.set()
                    await asyncio.sleep(0.5)
                    order.append("first ends")

            started = asyncio.Event()
            holding = asyncio.create_task(hold())
            await started.wait()
            async with board_lock(second, job="second", wait_s=20):
                order.append("second")
            await holding
            assert order == ["first", "first ends", "second"]
            await first.close()
            await second.close()

    run(scenario())


def test_work_is_done_in_the_job_s_folder_and_cleared_when_the_link_drops(tmp_path, run, until):
    """Not even what was pushed before anything ran, nor a process that ignores the end of its input, stays."""

    async def scenario():
        async with BoardServer(tmp_path) as board:
            transport = _python(board)
            async with board_lock(transport, job="bench") as lock:
                folder = await transport.workdir()
                assert folder.startswith(lock.work_root)
                (tmp_path / "model").write_bytes(b"m")
                await transport.push(tmp_path / "model", f"{folder}/model")
                await transport.stream(["sh", "-c", "trap '' HUP TERM; while :; do sleep 0.1; done", folder])
                await until(lambda: len(board.running()) == 2)
                board.cut()
                await until(lambda: not board.running())
                assert not Path(lock.work_root).exists()
            assert [path.name for path in board.tmp.iterdir()] == [LOCK]
            await transport.close()

    run(scenario())


def test_a_link_cut_while_a_program_is_still_being_started_leaves_no_process(tmp_path, run, until):
    """A busy board takes its time between the first word of a command and the command's own program."""

    async def scenario():
        async with BoardServer(tmp_path) as board:
            slow = tmp_path / "tools" / "env"
            slow.parent.mkdir()
            slow.write_text('#!/bin/sh\ncase "$*" in *while*) sleep 3 ;; esac\nexec /usr/bin/env "$@"\n')
            slow.chmod(0o755)
            board.environment["PATH"] = f"{slow.parent}:{board.environment['PATH']}"
            transport = _python(board)
            async with board_lock(transport, job="bench"):
                await transport.stream(["sh", "-c", "trap '' HUP TERM; while :; do sleep 0.1; done"])
                board.cut()
                await until(lambda: not board.running())
            await transport.close()

    run(scenario())


def test_the_board_lets_go_of_a_silent_host(tmp_path, run, until):
    """A host that froze keeps its connection open for hours; the lock must not last as long."""

    async def scenario():
        async with BoardServer(tmp_path) as board:
            transport = _python(board)
            label = {"who": "ann@laptop", "job": "bench", "since": "now", "marker": "m"}
            source = (_holder_source(), json.dumps(label), "1.5")
            stream = await transport.stream([sys.executable, "-c", *source])
            assert '"held"' in await anext(aiter(stream))
            await until(lambda: not board.running())
            assert [path.name for path in board.tmp.iterdir()] == [LOCK]
            await transport.close()

    run(scenario())


def test_stale_lock_of_a_killed_job_is_taken_and_its_leftovers_are_cleared(tmp_path, run, until):
    async def scenario():
        async with BoardServer(tmp_path) as board:
            transport = _python(board)
            label = {"who": "ann@laptop", "job": "bench old.onnx", "since": "2026-11-22T20:00:00+00:00"}
            marked = json.dumps({**label, "marker": "0123"})
            stream = await transport.stream([sys.executable, "-c", _holder_source(), marked, "60"])
            root = json.loads((await anext(aiter(stream))).partition(" ")[2])["root"]
            ignoring = ["sh", "-c", "trap '' HUP TERM; while :; do sleep 0.1; done"]
            left = await transport.stream(ignoring, env={"EAMDEPLOY_JOB": "0123"})
            neighbour = await transport.stream([*ignoring, root])  # somebody else's, who only looks at the folder
            os.killpg(board.processes[0].pid, signal.SIGKILL)  # the kernel ran out of memory
            await until(lambda: board.processes[0].returncode is not None)
            assert Path(root).is_dir()
            async with board_lock(transport, job="bench new.onnx") as lock:
                assert lock.stale == Holder("ann@laptop", "bench old.onnx", "2026-11-22T20:00:00+00:00")
                assert not Path(root).exists()
                await until(lambda: board.processes[1].returncode is not None)
                assert board.processes[2].returncode is None
            await left.kill()
            await neighbour.kill()
            await transport.close()

    run(scenario())


def test_a_forged_lock_deletes_nothing_of_the_user_s(tmp_path, run):
    """Everybody on the board may write into the lock file."""

    async def scenario():
        async with BoardServer(tmp_path) as board:
            precious, linked = board.home / "thesis", board.tmp / "eamdeploy.link"
            precious.mkdir()
            linked.symlink_to(precious)
            transport = _python(board)
            for root in (precious, linked, "/", None):
                (board.tmp / LOCK).write_text(json.dumps({"root": str(root), "who": "mallory"}))
                async with board_lock(transport, job="bench"):
                    pass
                assert precious.is_dir()
            for garbage in ("not json", "[1]", "\0" * 50):
                (board.tmp / LOCK).write_text(garbage)
                async with board_lock(transport, job="bench") as lock:
                    assert lock.stale is None
            await transport.close()

    run(scenario())


def test_a_forged_label_or_record_deletes_nothing(tmp_path, run):
    """A label with a folder in it is what older versions believed; a record must be private, and name the very folder."""

    async def scenario():
        async with BoardServer(tmp_path) as board:
            precious = board.tmp / "eamdeploy.precious"
            precious.mkdir()
            state = board.home / ".local" / "state" / "eamdeploy"
            state.mkdir(parents=True)
            status_before = precious.stat()
            entry = {"root": str(precious), "marker": "m", "machine": platform.node(), "holder": 1, "started": "x",
                     "device": status_before.st_dev, "inode": status_before.st_ino + 1}  # fmt: skip
            label = board.tmp / f"eamdeploy-board.{os.getuid()}.json"
            transport = _python(board)
            forged = [
                (json.dumps({"root": str(precious), "who": "x"}), "[]", 0o600),
                ("{}", json.dumps([entry]), 0o600),  # another folder now has this name
                (
                    "{}",
                    json.dumps([{**entry, "inode": status_before.st_ino}]),
                    0o666,
                ),  # everybody may have written this
                ("[" * 5000, "[" * 100_000, 0o600),
                ("{}", json.dumps([3, {"root": 3}, {"root": "\0"}]), 0o600),
            ]
            for text, record, mode in forged:
                label.write_text(text)
                (state / "board-jobs.json").write_text(record)
                (state / "board-jobs.json").chmod(mode)
                async with board_lock(transport, job="bench"):
                    pass
                assert precious.is_dir(), record
            assert (board.tmp / LOCK).stat().st_mode & 0o777 == 0o644
            assert (state / "board-jobs.json").stat().st_mode & 0o777 == 0o600
            await transport.close()

    run(scenario())


def test_no_python(tmp_path, run):
    async def scenario():
        async with BoardServer(tmp_path) as board:
            transport = board.transport(python=("python3-absent",))
            with pytest.raises(MissingDependency, match="Python could not be started on the board") as caught:
                async with board_lock(transport, job="bench"):
                    pass
            assert caught.value.exit_code == 7
            await transport.close()

    run(scenario())


def test_this_machine_can_be_locked_too(tmp_path, run, monkeypatch):
    monkeypatch.setenv("EAMDEPLOY_LOCK_DIR", str(tmp_path))

    async def scenario():
        first, two = LocalTransport(), LocalTransport()
        async with board_lock(first, job="bench"):
            with pytest.raises(BoardBusy):
                async with board_lock(two, job="bench"):
                    pass

    run(scenario())


def _holder_source() -> str:
    from importlib import resources

    return resources.files("devices.session.lock").joinpath("holder.py").read_text(encoding="utf-8")
