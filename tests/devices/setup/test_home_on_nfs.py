"""A home folder on NFS, for real: doctor, locks and environments work there, and a server that is gone is said in words."""

from __future__ import annotations

import pytest

from devices.doctor import examine
from devices.session.lock import board_lock
from devices.session.run import BoardSession
from devices.setup import set_up
from devices.setup.environment import fresh_environment
from eamdeploy.base.errors import BoardBusy, BoardUnreachable, MissingDependency
from runtimes.protocol import RuntimeOptions
from tests.devices.emulated_board import model, needs_qemu
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


def test_an_environment_takes_over_there_and_a_job_runs_out_of_it(board, tmp_path):
    """Up to the first package: what a set-up installs into it is tested on a disk."""
    artifact = model(tmp_path)

    async def switch():
        async with fresh_environment(board.transport, HOME) as fresh:
            return await fresh.take_over()

    async def load(transport):
        async with board_lock(transport, job="bench"), BoardSession(transport) as session, session.worker() as worker:
            await worker.load(await session.push(artifact), "onnxruntime", RuntimeOptions())

    python = board.run(switch())
    assert python == f"{HOME}/.local/share/eamdeploy/venv/bin/python"
    assert board.run(switch()) == python
    environments = board.run(board.transport.run(["ls", f"{HOME}/.local/share/eamdeploy/environments"])).text
    assert len(environments.splitlines()) == 1
    transport = board.login(python=(python,), silence_s=90)
    with pytest.raises(MissingDependency, match="numpy is not installed on the board"):
        board.run(load(transport))
    board.run(transport.close())
    assert board.folders() == []


async def doctor_refuses(transport):
    """Whichever of the two sees it, in one form."""
    for each in (await examine(transport)).findings:
        if each.check == "home" and each.level == "problem":
            raise BoardUnreachable(each.observation.replace(HOME, "the home folder"))


def test_a_server_that_is_gone_is_said(board):
    """The last test: from here on nothing that touches the home folder ever ends."""
    transport = board.login(silence_s=90)
    assert board.run(transport.run(["true"])).ok
    stop_server(board)
    # as long as the kernel remembers the folder the login gets through, and the doctor sees it; later the login stops there
    for attempt in (doctor_refuses, set_up):
        with pytest.raises(BoardUnreachable, match="home folder does not answer") as caught:
            board.run(attempt(transport))
        assert caught.value.exit_code == 6
    board.run(transport.close())
