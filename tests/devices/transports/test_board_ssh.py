"""A board over a real SSH connection: what works, and what every fault of the link looks like to the user."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from pathlib import Path

import pytest

from devices.transports.ssh import SshTarget, SshTransport
from eamdeploy.base.errors import BoardUnreachable, UsageError
from tests.devices.board_server import BoardServer


def test_arguments_reach_the_command_as_they_are(tmp_path, run):
    hostile = ["a b", "$(touch pwned)", "`id`", "x;y", "'", '"', "*", "--", "\\", "ü\n"]

    async def scenario():
        async with BoardServer(tmp_path) as board:
            result = await board.transport().run(["printf", "%s|", *hostile])
            assert result.text == "|".join([*hostile, ""])
            assert not (board.home / "pwned").exists()

    run(scenario())


def test_status_output_and_input(tmp_path, run):
    async def scenario():
        async with BoardServer(tmp_path) as board:
            transport = board.transport()
            result = await transport.run(["sh", "-c", "cat; echo oops >&2; exit 3"], stdin=b"\0\xff")
            assert (result.exit_status, result.stdout, result.error_text) == (3, b"\0\xff", "oops")
            assert (await transport.run(["no-such-program"])).exit_status == 127
            assert (await transport.run(["sh", "-c", "kill -9 $$"])).exit_status in (-9, 137)
            await transport.close()

    run(scenario())


def test_files_there_and_back(tmp_path, run):
    content = os.urandom(700_001)
    (tmp_path / "there").write_bytes(content)

    async def scenario():
        async with BoardServer(tmp_path) as board:
            transport = board.transport()
            folder = await transport.workdir()
            assert Path(folder).stat().st_mode & 0o077 == 0
            await transport.push(tmp_path / "there", f"{folder}/it's here")
            await transport.pull(f"{folder}/it's here", tmp_path / "back")
            assert (tmp_path / "back").read_bytes() == content
            with pytest.raises(UsageError, match="No such file"):
                await transport.pull(f"{folder}/absent", tmp_path / "absent")
            assert not (tmp_path / "absent").exists()
            await transport.remove(folder)
            assert list(board.tmp.iterdir()) == []
            await transport.close()

    run(scenario())


def test_a_stream_speaks_both_ways_and_can_be_killed_with_its_children(tmp_path, run, until):
    async def scenario():
        async with BoardServer(tmp_path) as board:
            transport = board.transport()
            script = "echo $WHO; sleep 1000 & echo $!; read line; echo got $line; wait"
            stream = await transport.stream(["sh", "-c", script], env={"WHO": "a b"})
            lines = aiter(stream)
            assert await anext(lines) == "a b"
            child = int(await anext(lines))
            await stream.send("hello")
            assert await anext(lines) == "got hello"
            await stream.kill()
            await until(lambda: not _alive(child))
            await stream.kill()  # once more does nothing
            await transport.close()

    run(scenario())


def test_a_command_that_takes_too_long_is_ended(tmp_path, run, until):
    async def scenario():
        async with BoardServer(tmp_path) as board:
            transport = board.transport()
            with pytest.raises(BoardUnreachable, match=r"'sleep' ran for more than 0\.3 s"):
                await transport.run(["sleep", "1000"], timeout_s=0.3)
            await until(lambda: not board.running())
            await transport.close()

    run(scenario())


def test_an_interrupted_command_is_ended(tmp_path, run, until):
    async def scenario():
        async with BoardServer(tmp_path) as board:
            transport = board.transport()
            task = asyncio.create_task(transport.run(["sleep", "1000"]))
            await until(lambda: board.running())
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: not board.running())
            await transport.close()

    run(scenario())


def test_closed_port(tmp_path, run):
    async def scenario():
        async with BoardServer(tmp_path) as board:
            await board.stop()
            with pytest.raises(BoardUnreachable, match=r"refuses the connection .*nothing listens") as caught:
                await board.transport().connect()
            assert caught.value.exit_code == 6

    run(scenario())


def test_stopped_machine(tmp_path, run):
    """The port answers as a network stack does, nothing else does: the limit holds, and it is said."""
    with socket.create_server(("127.0.0.1", 0)) as silent:

        async def scenario():
            async with BoardServer(tmp_path) as board:
                started = time.monotonic()
                transport = board.transport(port=silent.getsockname()[1], connect_timeout_s=0.5)
                with pytest.raises(BoardUnreachable, match=r"does not answer .*within 0.5 s"):
                    await transport.connect()
                assert time.monotonic() - started < 3

        run(scenario())


def test_the_users_ssh_configuration_holds(tmp_path, run, monkeypatch):
    """Alias, port, user, key and known_hosts all come from ~/.ssh/config, as for ssh itself."""
    monkeypatch.setenv("HOME", str(tmp_path))

    async def scenario():
        async with BoardServer(tmp_path) as board:
            (tmp_path / ".ssh").mkdir()
            (tmp_path / ".ssh" / "config").write_text(
                f"Host desk\n  HostName 127.0.0.1\n  Port {board.port}\n  User pi\n  IdentityFile {board.identity}\n"
                f"  UserKnownHostsFile {board.known_hosts}\n"
            )
            transport = SshTransport("desk", SshTarget.parse("desk"))
            assert (await transport.run(["echo", "in"])).text == "in"
            await transport.close()

    run(scenario())


def test_through_a_jump_host(tmp_path, run, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))

    async def scenario():
        async with BoardServer(tmp_path / "jump") as jump, BoardServer(tmp_path / "board") as board:
            jump.forwards = True
            (tmp_path / ".ssh").mkdir()
            (tmp_path / ".ssh" / "known_hosts").write_text(jump.known_hosts.read_text() + board.known_hosts.read_text())
            (tmp_path / ".ssh" / "config").write_text(
                f"Host bastion\n  HostName 127.0.0.1\n  Port {jump.port}\n  User pi\n  IdentityFile {jump.identity}\n"
            )
            target = board.target(jump="bastion", config=(), known_hosts=None)
            transport = SshTransport("behind", target)
            assert (await transport.run(["echo", "in"])).text == "in"
            assert jump.forwarded == [("127.0.0.1", board.port)]
            await transport.close()

    run(scenario())


def test_a_name_that_does_not_exist(tmp_path, run):
    async def scenario():
        async with BoardServer(tmp_path) as board:
            with pytest.raises(BoardUnreachable, match="name is not known"):
                await board.transport(host="no-such-board.invalid").connect()

    run(scenario())


def test_link_cut_in_mid_push_leaves_no_part_of_the_file(tmp_path, run, until):
    (tmp_path / "model").write_bytes(b"m" * 8_000_000)

    async def scenario():
        async with BoardServer(tmp_path) as board:
            transport = board.transport()
            folder = await transport.workdir()
            board.cut_after_bytes = board.bytes_in + 2_000_000
            with pytest.raises(BoardUnreachable, match="link to the board was lost"):
                await transport.push(tmp_path / "model", f"{folder}/model")
            await until(lambda: not board.running())
            assert list(Path(folder).iterdir()) == []
            # the same transport finds its way back
            await transport.push(tmp_path / "model", f"{folder}/model")
            assert Path(f"{folder}/model").stat().st_size == 8_000_000
            await transport.close()

    run(scenario())


def test_link_cut_in_mid_command_is_noticed(tmp_path, run):
    """asyncssh returns normally, with no status: that must never pass for success."""

    async def scenario():
        async with BoardServer(tmp_path) as board:
            transport = board.transport()
            stream = await transport.stream(["sh", "-c", "echo one; cat"])
            lines = aiter(stream)
            assert await anext(lines) == "one"
            command = asyncio.create_task(transport.run(["sleep", "1000"]))
            await asyncio.sleep(0.2)
            board.cut()
            with pytest.raises(BoardUnreachable, match="lost"):
                await command
            with pytest.raises(BoardUnreachable, match="lost while a command was running"):
                await anext(lines)
            with pytest.raises(BoardUnreachable):
                await stream.send("more")
            with pytest.raises(BoardUnreachable):
                await stream.wait()
            await stream.kill()
            await transport.close()

    run(scenario())


def test_no_secret_in_the_log(tmp_path, run, caplog):
    caplog.set_level(logging.DEBUG)

    async def scenario():
        async with BoardServer(tmp_path) as board:
            transport = board.transport()
            await transport.run(["true"])
            await transport.close()
            secret = board.client_key.export_private_key("openssh").decode().splitlines()[2]
            assert secret not in caplog.text
            assert "PRIVATE" not in caplog.text

    run(scenario())


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
