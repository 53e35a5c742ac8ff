"""Boards that do anything but answer, over real SSH: each request ends in time, with the documented exit code."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncssh
import pytest

from devices.doctor import examine
from devices.session.lock import board_lock
from devices.session.run import BoardSession
from devices.setup import set_up
from devices.transports import limits
from devices.transports.protocol import Transport
from devices.transports.ssh import command, stream
from devices.transports.ssh.transport import SshTransport
from eamdeploy.base.errors import BoardUnreachable, EamdeployError, MeasurementError
from tests.devices.board_server import BoardServer
from tests.devices.transports.rude import EXIT, MANNERS, rude

_LIMIT_S = 30.0  # of one test, on a busy machine; each deadline in it is a second


async def _lock(transport: Transport) -> None:
    async with board_lock(transport, job="bench"):
        pass


async def _session(transport: Transport) -> None:
    async with BoardSession(transport):
        pass


async def _push(transport: Transport) -> None:
    await transport.push(Path(__file__), "there")


OPERATIONS: dict[str, Callable[[Transport], Awaitable[object]]] = {
    "workdir": lambda transport: transport.workdir(),
    "push": _push,
    "lock": _lock,
    "session": _session,
    "doctor": examine,
    "setup": set_up,
}
# what ends with status 0 and says nothing: that is all that a push waits for
HARMLESS = {("push", "says nothing and ends well"), ("push", "says something else")}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RUN_S", 1.0)
    monkeypatch.setattr(limits, "SESSION_S", 1.0)
    monkeypatch.setattr(limits, "transfer_s", lambda _: 1.0)
    monkeypatch.setattr(command, "OUTPUT_BYTES", 1 << 20)
    monkeypatch.setattr(stream, "_SIGNAL_WAIT_S", 0.2)
    monkeypatch.setattr(stream, "_KILL_WAIT_S", 0.2)
    monkeypatch.setattr("devices.doctor.facts._PROBE_LIMIT_S", 1.0)
    monkeypatch.setattr("devices.doctor.facts._PYTHON_LIMIT_S", 1.0)
    monkeypatch.setattr("devices.session.deadlines.START_S", 1.0)
    monkeypatch.setattr(sys.modules["devices.session.lock.board_lock"], "_ANSWER_S", 1.0)
    monkeypatch.setattr("devices.setup.environment._ANSWER_S", 1.0)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_ends_whatever_the_board_does(tmp_path: Path, operation: str) -> None:
    async def one(name: str) -> tuple[str, object]:
        async with BoardServer(tmp_path / name.replace(" ", "-")) as board:
            board.session = rude(MANNERS[name])
            transport = SshTransport("rude", board.target(), shell_limit_s=1.0)
            try:
                async with asyncio.timeout(_LIMIT_S):
                    return name, await OPERATIONS[operation](transport)
            except EamdeployError as error:
                return name, error
            finally:
                await transport.close()

    async def all_of_them() -> list[tuple[str, object]]:
        return await asyncio.gather(*(one(name) for name in MANNERS))

    for name, outcome in asyncio.run(all_of_them()):
        if (operation, name) in HARMLESS:
            continue
        assert isinstance(outcome, EamdeployError), f"{operation}, {name}: {outcome!r}"
        assert outcome.exit_code in (5, 6, 7), f"{operation}, {name}: {outcome}"
        assert "rude" in str(outcome), f"{operation}, {name}: {outcome}"


def test_a_board_that_opens_no_session_is_given_up(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with BoardServer(tmp_path) as board:

            async def never(_: object) -> None:
                await asyncio.sleep(600)

            board.session = never
            transport = board.transport()
            with pytest.raises(BoardUnreachable, match="no session was opened within 1 s"):
                await transport.run(["true"])
            await transport.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("pinned", [False, True])
def test_a_host_key_that_changes_between_two_connections_of_a_session(tmp_path: Path, pinned: bool) -> None:
    async def scenario() -> None:
        async with BoardServer(tmp_path) as board:
            key = {"host_key": board.host_key.export_public_key("openssh").decode().strip()} if pinned else {}
            transport = board.transport(**key)
            assert (await transport.run(["echo", "in"])).text == "in"
            await board.stop()
            board.host_key = asyncssh.generate_private_key("ssh-ed25519")
            commands = len(board.commands)
            await board.start()
            with pytest.raises(BoardUnreachable, match="not the one on file") as caught:
                await transport.run(["echo", "in again"])
            assert board.host_key.get_fingerprint() in str(caught.value)
            assert len(board.commands) == commands  # nothing was said to the stranger
            await transport.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["file", "file.part"])
@pytest.mark.parametrize("to", ["a file", "a folder", "nothing"])
def test_links_in_the_boards_folder_are_replaced_and_not_followed(tmp_path: Path, name: str, to: str) -> None:
    async def scenario() -> None:
        async with BoardServer(tmp_path) as board:
            precious = board.home / "precious"
            precious.mkdir()
            (precious / "file").write_text("mine")
            transport = board.transport()
            folder = Path(await transport.workdir())
            target = {"a file": precious / "file", "a folder": precious, "nothing": board.home / "new"}[to]
            (folder / name).symlink_to(target)
            local = tmp_path / "local"
            local.write_text("pushed")
            await transport.push(local, f"{folder}/file")
            assert (folder / "file").read_text() == "pushed"
            assert not (folder / "file").is_symlink()
            (folder / "home").symlink_to(board.home)
            await transport.remove(str(folder))
            assert not folder.exists()
            folder.symlink_to(board.home)  # and the folder itself
            await transport.remove(str(folder))
            assert sorted(path.name for path in precious.iterdir()) == ["file"]
            assert (precious / "file").read_text() == "mine"
            assert not (board.home / "new").exists()
            await transport.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("answer", ["/", "", "/home/pi", "/tmp/eamdeploy.a\\n/", "eamdeploy.abcdefgh", "/tmp/x;rm -rf"])
def test_a_folder_that_was_not_just_made_is_never_taken_for_one(tmp_path: Path, answer: str) -> None:
    async def says(start: bytes, end: bytes):
        yield start + b"4711\n" + answer.encode() + b"\n" + end + b"0\n"
        yield EXIT

    async def scenario() -> None:
        async with BoardServer(tmp_path) as board:
            board.session = rude(says)
            transport = board.transport()
            with pytest.raises((MeasurementError, BoardUnreachable)):
                await transport.workdir()
            await transport.close()

    asyncio.run(scenario())
