"""What start-up files of a login shell do beside greeting: answers stay whole, or the message names what is to blame."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from devices.doctor import examine
from devices.session.run import BoardSession
from eamdeploy.base.errors import BoardUnreachable, MissingDependency
from runtimes.protocol import RuntimeOptions
from tests.devices.kit.sshd_board import SshdBoard
from tests.runtimes import tiny_models


async def examined(board, **changes):
    transport = board.transport(python=(sys.executable,), **changes)
    try:
        return await examine(transport)
    finally:
        await transport.close()


async def measured(board, artifact):
    transport = board.transport(python=(sys.executable,))
    try:
        async with BoardSession(transport) as session, session.worker() as worker:
            await worker.load(await session.push(artifact), "onnxruntime", RuntimeOptions())
            answer = await worker.measure(seconds=0.0, min_samples=3, max_samples=3, warmup_seconds=0.0)
            return len(answer["timing"]["samples_ns"])
    finally:
        await transport.close()


HARMLESS = {
    "the path is lost": "export PATH=$HOME/bin",
    "the folder is gone": "mkdir $HOME/x; cd $HOME/x; rmdir $HOME/x",
    "errors go where the output goes": "exec 2>&1",
    "a trap at the end": "trap 'echo bye' EXIT",
    "a library to load first is missing": "export LD_PRELOAD=/usr/lib/libarmmem-v8l.so",
    "an unknown language": "export LC_ALL=xx_XX.UTF-8 LANG=tr_TR",
    "a temporary folder that is not there": "export TMPDIR=/nonexistent/tmp",
    "files for nobody else": "umask 077",
    "every command is shown": "set -x; export SHELLOPTS",
    "few open files": "ulimit -n 16",
    "one processor": "taskset -pc 0 $$",
    "a command that needs a terminal": "stty erase ^H; tput clear; clear",
}


@pytest.mark.parametrize("rc", [pytest.param(rc, id=name) for name, rc in HARMLESS.items()])
def test_the_doctor_sees_the_board_all_the_same(tmp_path, run, rc):
    with SshdBoard(tmp_path, files={".bashrc": f"{rc}\n"}) as board:
        examination = run(examined(board))
    assert examination.facts.python is not None
    assert examination.facts.python.executable == sys.executable
    assert examination.facts.work_folder


@pytest.mark.slow
@pytest.mark.parametrize("rc", [pytest.param(rc, id=name) for name, rc in HARMLESS.items()])
def test_a_file_with_a_foreign_name_is_measured_all_the_same(tmp_path, run, rc):
    artifact = tmp_path / "modèle ü.onnx"
    tiny_models.write_onnx(artifact, metadata=tiny_models.metadata())
    with SshdBoard(tmp_path, files={".bashrc": f"{rc}\n"}) as board:
        assert run(measured(board, artifact)) == 3
        assert list(board.tmp.iterdir()) == []


def test_what_a_start_up_file_leaves_running_holds_up_no_command(tmp_path, run):
    """It holds the output open, for an hour here; OpenSSH's own client would wait as long."""

    async def scenario(board):
        transport = board.transport()
        done = await transport.run(["sh", "-c", "cat; echo oops >&2; exit 3"], stdin=b"in")
        stream = await transport.stream(["sh", "-c", "read line; echo got $line"])
        await stream.send("hello")
        lines = [line async for line in stream]
        status = await stream.wait()
        await transport.close()
        return done, lines, status

    with SshdBoard(tmp_path, files={".bashrc": f"sleep 3600 & echo $! >> {tmp_path}/left-running\n"}) as board:
        try:
            done, lines, status = run(asyncio.wait_for(scenario(board), 60))
        finally:
            for process_id in (tmp_path / "left-running").read_text().split():
                os.kill(int(process_id), signal.SIGKILL)
    assert (done.exit_status, done.stdout, done.stderr) == (3, b"in", b"oops\n")
    assert (lines, status) == (["got hello"], 0)


EXPIRED = (
    "echo 'WARNING: Your password has expired.' >&2; echo 'Password change required but no TTY available.' >&2; exit 1"
)
BOOTING = (
    "echo 'System is booting up. Unprivileged users are not permitted to log in yet. See pam_nologin(8).'; exit 254"
)


@pytest.mark.parametrize(
    ("forced", "words", "kind"),
    [
        (EXPIRED, r"its password has expired .*choose another password", MissingDependency),
        (BOOTING, r"the board is starting or stopping .*wait a minute", BoardUnreachable),
        ("exec >> log 2>&1; echo x", r"sends its output elsewhere .*start-up files", MissingDependency),
    ],
)
def test_a_session_that_ends_before_the_command_says_what_to_do(tmp_path, run, forced, words, kind):
    with SshdBoard(tmp_path, forced=forced) as board, pytest.raises(kind, match=words) as caught:
        run(examined(board))
    assert caught.value.exit_code == kind.exit_code


CONFIGURATIONS = {
    "of a Mac": "Host *\n  UseKeychain yes\n  AddKeysToAgent yes\n",
    "a connection that is shared": "Host *\n  ControlMaster auto\n  ControlPath {folder}/cm-%C\n  ControlPersist 60\n",
    "forwardings": "Host *\n  ForwardX11 yes\n  ForwardAgent yes\n  LocalForward 1 localhost:1\n  RemoteForward 0 localhost:1\n",
    "algorithms": "Host *\n  Ciphers +aes128-cbc\n  KexAlgorithms ^curve25519-sha256\n  PubkeyAcceptedAlgorithms +ssh-rsa\n",
    "a file that is not there": "Include {folder}/nothing/*.conf\n",
    "a condition": 'Match exec "true"\n  ServerAliveInterval 30\n',
    "no proxy": "Host *\n  ProxyCommand none\n  ProxyJump none\n  IdentityAgent none\n",
}


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in CONFIGURATIONS.items()])
def test_a_configuration_for_ssh_lets_in_as_ssh_does(tmp_path, run, text):
    (tmp_path / "config").write_text(text.format(folder=tmp_path))
    with SshdBoard(tmp_path) as board:
        assert run(examined(board, config=tmp_path / "config")).facts.python is not None


def test_an_agent_that_is_gone_is_passed_over(tmp_path, run, monkeypatch):
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "nothing"))
    with SshdBoard(tmp_path) as board:
        assert run(examined(board)).facts.python is not None


def test_a_second_factor_is_said_to_be_out_of_reach(tmp_path, run):
    """The key is good, and the server wants a code besides."""
    with (
        SshdBoard(
            tmp_path, options=["PasswordAuthentication yes", "AuthenticationMethods publickey,password"]
        ) as board,
        pytest.raises(BoardUnreachable, match=r"refuses the login .*a code, cannot be used"),
    ):
        run(examined(board))
