"""This side of the link: keys, agents, configurations and jump hosts. The message names what is to blame."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess

import pytest

from devices.transports.ssh import SshTarget, SshTransport
from eamdeploy.base.errors import BoardUnreachable, UsageError
from tests.devices.board_server import BoardServer

_KEYGEN = shutil.which("ssh-keygen")


def _encrypt(identity) -> None:
    """Give a key file a passphrase, as ssh-keygen does."""
    if _KEYGEN is None:
        pytest.skip("needs openssh-client")
    subprocess.run([_KEYGEN, "-q", "-p", "-N", "secret", "-f", identity], check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def _agent(folder, *keys):
    """An ssh-agent that holds these keys."""
    socket = folder / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            if socket.exists():
                break
            __import__("time").sleep(0.02)
        for key in keys:
            environment = {**os.environ, "SSH_AUTH_SOCK": str(socket)}
            subprocess.run(["ssh-add", "-q", key], env=environment, check=True, stderr=subprocess.DEVNULL)
        yield str(socket)
    finally:
        process.terminate()
        process.wait()


async def _answer(transport: SshTransport) -> str:
    try:
        return (await transport.run(["echo", "in"])).text
    finally:
        await transport.close()


def test_a_key_with_a_passphrase_is_used_through_the_agent(tmp_path, run, monkeypatch):
    async def scenario():
        async with BoardServer(tmp_path) as board:
            with _agent(tmp_path, board.identity) as socket:
                _encrypt(board.identity)
                monkeypatch.setenv("SSH_AUTH_SOCK", socket)
                assert await _answer(board.transport()) == "in"
            monkeypatch.delenv("SSH_AUTH_SOCK")
            monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
            with pytest.raises(BoardUnreachable, match=re.escape(f"ssh-add {board.identity}")):
                await _answer(board.transport())

    run(scenario())


def test_key_files_of_the_configuration_that_cannot_be_used_are_passed_over(tmp_path, run, monkeypatch):
    """OpenSSH logs in with the one that works; so do we, and name the others only when none does."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "no-key").write_text("not a key\n")

    async def scenario():
        async with BoardServer(tmp_path) as board:
            lines = [f"IdentityFile {tmp_path}/{name}" for name in ("absent", "no-key", "id_ed25519")]
            config = tmp_path / "config"
            config.write_text("Host *\n" + "\n".join(lines) + "\n")
            assert await _answer(board.transport(identity=None, config=config)) == "in"
            config.write_text("Host *\n" + "\n".join(lines[:2]) + "\n  User somebody\n")
            with pytest.raises(
                BoardUnreachable, match=r"for user 'somebody'.*absent is not there.*no-key cannot be read"
            ):
                await _answer(board.transport(identity=None, config=config, user=None))

    run(scenario())


@pytest.mark.parametrize(
    ("content", "words"),
    [("Host *\n  Port abc\n", r"config line 2: Invalid Port"), ("Host *\n  UserKnownHostsFile\n", r"config line 2")],
)
def test_a_configuration_that_cannot_be_read_names_its_line(tmp_path, run, content, words):
    config = tmp_path / "config"
    config.write_text(content)
    with pytest.raises(UsageError, match=f"SSH configuration cannot be read .*{words}"):
        run(_answer(SshTransport("mypi", SshTarget("127.0.0.1", port=None, config=config))))


@pytest.mark.parametrize(("content", "words"), [("not a key\n", "no private key"), (None, "is not there")])
def test_a_key_file_that_is_none_is_named(tmp_path, run, content, words):
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError, match=f"{words}.*{re.escape(str(file))}"):
        run(_answer(SshTransport("mypi", SshTarget("127.0.0.1", identity=file, config=None))))


def _behind(tmp_path, jump, board):
    """The user's configuration and known hosts for a board behind a jump host."""
    folder = tmp_path / ".ssh"
    folder.mkdir(exist_ok=True)
    (folder / "known_hosts").write_text(jump.known_hosts.read_text() + board.known_hosts.read_text())
    hop = f"Host bastion\n  HostName 127.0.0.1\n  Port {jump.port}\n  User {{user}}\n  IdentityFile {jump.identity}\n"
    desk = f"Host desk\n  HostName 127.0.0.1\n  Port {board.port}\n  User pi\n  IdentityFile {board.identity}\n"
    desk += "  ProxyJump bastion\n"
    (folder / "config").write_text(hop.format(user="pi") + desk)
    return folder / "config"


def test_a_jump_host_is_named_when_it_is_to_blame(tmp_path, run, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))

    async def scenario():
        async with BoardServer(tmp_path / "jump") as jump, BoardServer(tmp_path / "board") as board:
            config = _behind(tmp_path, jump, board)
            through = SshTransport("desk", SshTarget.parse("desk"))
            with pytest.raises(BoardUnreachable, match="jump host does not get through"):
                await _answer(through)  # it forwards nothing
            jump.forwards = True
            assert await _answer(SshTransport("desk", SshTarget.parse("desk"))) == "in"
            text = config.read_text()
            config.write_text(text.replace("User pi", "User nobody", 1))
            with pytest.raises(BoardUnreachable, match=r"jump host bastion refuses the login .*for user 'nobody'"):
                await _answer(SshTransport("desk", SshTarget.parse("desk")))
            config.write_text(text)
            (tmp_path / ".ssh" / "known_hosts").write_text(board.known_hosts.read_text())
            with pytest.raises(BoardUnreachable, match=r"host key is not known .*jump host bastion"):
                await _answer(SshTransport("desk", SshTarget.parse("desk")))
            await jump.stop()
            with pytest.raises(BoardUnreachable, match="jump host bastion refuses the connection"):
                await _answer(SshTransport("desk", SshTarget.parse("desk")))

    run(scenario())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssh://pi@raspberrypi.local:2222", SshTarget("raspberrypi.local", "pi", 2222)),
        ("ssh://pi@raspberrypi.local/", SshTarget("raspberrypi.local", "pi")),
        ("pi@[fe80::1%eth0]:2222", SshTarget("fe80::1%eth0", "pi", 2222)),
        ("ssh://[2001:db8::7]:22", SshTarget("2001:db8::7", None, 22)),
        ("pi@2001:db8::7", SshTarget("2001:db8::7", "pi")),
        ("::1", SshTarget("::1")),
    ],
)
def test_addresses_as_openssh_takes_them(text, expected):
    assert SshTarget.parse(text) == expected
