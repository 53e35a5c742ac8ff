"""Whom an SSH transport trusts: host keys, the user's configuration, wrong users."""

from __future__ import annotations

import asyncssh
import pytest

from devices.transports.ssh.host_key import fetch_host_key
from eamdeploy.base.errors import BoardUnreachable, UsageError
from tests.devices.board_server import BoardServer


def test_unknown_host_key_is_never_accepted(tmp_path, run):
    async def scenario():
        async with BoardServer(tmp_path) as board:
            board.known_hosts.write_text("")
            with pytest.raises(BoardUnreachable, match="host key is not known") as caught:
                await board.transport().connect()
            assert board.host_key.get_fingerprint() in str(caught.value)
            assert "devices trust mypi" in str(caught.value)
            assert board.known_hosts.read_text() == ""
            assert board.commands == []

    run(scenario())


def test_without_a_known_hosts_file_nothing_is_accepted(tmp_path, run, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))

    async def scenario():
        async with BoardServer(tmp_path) as board:
            with pytest.raises(BoardUnreachable, match="host key is not known"):
                await board.transport(known_hosts=None).connect()
            assert board.commands == []

    run(scenario())


@pytest.mark.parametrize("pinned", [False, True])
def test_changed_host_key(tmp_path, run, pinned):
    async def scenario():
        async with BoardServer(tmp_path) as board:
            old = asyncssh.generate_private_key("ssh-ed25519")
            board.write_known_hosts(old)
            changes = {"host_key": old.export_public_key("openssh").decode().strip()} if pinned else {}
            with pytest.raises(BoardUnreachable, match="not the one on file") as caught:
                await board.transport(**changes).connect()
            assert board.host_key.get_fingerprint() in str(caught.value)
            assert board.commands == []

    run(scenario())


def test_pinned_host_key_is_enough(tmp_path, run):
    async def scenario():
        async with BoardServer(tmp_path) as board:
            board.known_hosts.unlink()
            fingerprint = board.host_key.get_fingerprint()
            key = await fetch_host_key(board.target(), fingerprint, name="mypi")
            transport = board.transport(host_key=key)
            assert (await transport.run(["echo", "in"])).text == "in"
            await transport.close()
            with pytest.raises(BoardUnreachable, match=r"does not show that host key .*it shows SHA256"):
                await fetch_host_key(board.target(), "SHA256:" + "A" * 43, name="mypi")
            with pytest.raises(UsageError, match="no fingerprint"):
                await fetch_host_key(board.target(), "MD5:00", name="mypi")

    run(scenario())


def test_wrong_user_and_wrong_key(tmp_path, run):
    async def scenario():
        async with BoardServer(tmp_path) as board:
            with pytest.raises(BoardUnreachable, match=r"refuses the login .*user 'bob'"):
                await board.transport(user="bob").connect()
            asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(tmp_path / "other"))
            with pytest.raises(BoardUnreachable, match="refuses the login"):
                await board.transport(identity=tmp_path / "other").connect()
            with pytest.raises(UsageError, match="key file is not there"):
                await board.transport(identity=tmp_path / "absent").connect()

    run(scenario())
