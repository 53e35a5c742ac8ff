"""A home folder on NFS, for real: doctor, setup, bench and the locks work, and a server that is gone is said in words."""

from __future__ import annotations

import pytest

from devices.doctor import examine
from devices.session.lock import board_lock
from devices.session.run import BoardSession
from devices.setup import set_up
from devices.setup.environment import fresh_environment
from devices.setup.models import smallest_model
from eamdeploy.base.errors import BoardBusy, BoardUnreachable
from runtimes.protocol import RuntimeOptions
from tests.devices.emulated_board import needs_qemu
from tests.devices.kit.nfs_board import nfs_board, stop_server

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.timeout(1800)]
HOME = "/home/board"


@pytest.fixture(scope="module")
def board():
    needs_qemu()
    running = nfs_board()
    yield running
    running.close()


def test_the_doctor_says_so_and_sees_nothing_wrong_with_it(board):
    findings = {each.check: each for each in board.run(examine(board.transport)).findings}
    assert (findings["home"].level, findings["home"].observation) == ("note", f"{HOME} is on nfs")


def test_two_setups_at_once_are_kept_apart_there_too(board):
    async def scenario():
        async with fresh_environment(board.transport, HOME) as first:
            assert first.python.startswith(f"{HOME}/")
            with pytest.raises(BoardBusy, match="being set up already"):
                async with fresh_environment(board.transport, HOME):
                    pytest.fail("both build")

    board.run(scenario())
    assert board.run(board.transport.run(["ls", f"{HOME}/.local/share/eamdeploy/environments"])).text == ""


def test_setup_installs_there_and_bench_runs_from_there(board):
    runtime, files = smallest_model("MNN")

    async def measure(transport):
        async with board_lock(transport, job="bench"), BoardSession(transport) as session, session.worker() as worker:
            artifact, *_ = [await session.push_bytes(content, name) for name, content in files.items()]
            load = await worker.load(artifact, runtime, RuntimeOptions())
            answer = await worker.measure(seconds=0.0, min_samples=5, max_samples=5, warmup_seconds=0.2)
            return load["version"], len(answer["timing"]["samples_ns"])

    installed = board.run(set_up(board.transport, runtimes=["MNN"], offline=True))
    assert installed.python.startswith(f"{HOME}/")
    transport = board.login(python=(installed.python,), silence_s=90)
    assert board.run(measure(transport)) == (f"MNN {installed.packages['MNN']}", 5)
    assert {each.check for each in board.run(examine(transport)).findings if each.level == "problem"} == set()
    board.run(transport.close())
    assert board.folders() == []


def test_a_server_that_is_gone_is_said(board):
    """The last test: from here on nothing that touches the home folder ever ends."""
    transport = board.login(silence_s=90)
    assert board.run(transport.run(["true"])).ok
    stop_server(board)
    findings = {each.check: each for each in board.run(examine(transport)).findings}
    assert (findings["home"].level, findings["home"].observation) == ("problem", f"{HOME} does not answer")
    with pytest.raises(BoardUnreachable, match="home folder does not answer") as caught:
        board.run(set_up(transport))
    assert caught.value.exit_code == 6
    board.run(transport.close())
