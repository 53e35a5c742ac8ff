"""Login shells of every kind, behind a real sshd: what they print is not an answer, and what stops them is said."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from devices.doctor import examine
from devices.runner import wire
from devices.session.run import BoardSession
from devices.setup import set_up
from devices.transports.ssh import command as command_module
from devices.transports.ssh import transport as transport_module
from eamdeploy.base.errors import BoardUnreachable, MissingDependency
from tests.devices.kit.sshd_board import SshdBoard
from tests.recorded_progress import RecordedProgress

_HOSTILE = ["a b", "$(touch pwned)", "`id`", "x;y", "'", '"', "*", "!!", "\\", "\\\\n", "%d", "ü\n"]
_BANNER = "printf 'Welcome to \\033[31mmypi\\033[0m\\n'; printf 'no newline'; echo warning >&2\n"


async def _round_trip(board: SshdBoard, folder: Path) -> None:
    transport = board.transport()
    done = await transport.run(["printf", "%s|", *_HOSTILE])
    assert done.stdout.decode() == "|".join([*_HOSTILE, ""])
    assert done.stderr == b""
    assert not (board.home / "pwned").exists()
    done = await transport.run(["sh", "-c", "cat; echo oops >&2; exit 3"], stdin=b"\0\xff\n")
    assert (done.exit_status, done.stdout, done.stderr) == (3, b"\0\xff\n", b"oops\n")
    content = os.urandom(70_001)
    (folder / "there").write_bytes(content)
    work = await transport.workdir()
    assert work.startswith(str(board.tmp))
    await transport.push(folder / "there", f"{work}/it's here")
    await transport.pull(f"{work}/it's here", folder / "back")
    assert (folder / "back").read_bytes() == content
    await transport.remove(work)
    assert list(board.tmp.iterdir()) == []
    stream = await transport.stream(["sh", "-c", "read line; echo got $line"])
    await stream.send("hello")
    assert [line async for line in stream] == ["got hello"]
    assert await stream.wait() == 0
    await transport.close()


@pytest.mark.parametrize(
    ("shell", "file"),
    [
        ("bash", ".bashrc"),
        pytest.param("zsh", ".zshenv", marks=pytest.mark.slow),
        pytest.param("fish", ".config/fish/config.fish", marks=pytest.mark.slow),
        pytest.param("tcsh", ".tcshrc", marks=pytest.mark.slow),
    ],
)
def test_a_shell_that_greets_changes_no_answer(tmp_path, run, shell, file):
    with SshdBoard(tmp_path, shell=shell, files={file: _BANNER if shell != "tcsh" else "echo Welcome\n"}) as board:
        run(_round_trip(board, tmp_path))


def test_noise_after_an_answer_is_left_out_and_noise_is_mentioned_once(tmp_path, run):
    script = 'echo Welcome; sh -c "$SSH_ORIGINAL_COMMAND"; s=$?; echo Goodbye; exit $s'
    progress = RecordedProgress()

    async def scenario(board):
        transport = board.transport()
        transport._progress = progress
        for _ in range(2):
            assert (await transport.run(["echo", "in"])).stdout == b"in\n"
        assert (await transport.run(["sh", "-c", "kill -9 $$"])).exit_status == 137
        await transport.close()

    with SshdBoard(tmp_path, forced=script) as board:
        run(scenario(board))
    assert progress.sentences == ["the login shell prints something of its own, which is left out: Welcome"]


@pytest.mark.parametrize(
    ("rc", "words"),
    [
        ("read -p 'Which project? ' answer\n", "waits for input before it runs a command"),
        pytest.param("exec sh\n", "starts another program instead of running", marks=pytest.mark.slow),
        pytest.param("sleep 60\n", "does not get to the command", marks=pytest.mark.slow),
    ],
)
def test_start_up_files_that_stop_every_command_are_named_in_seconds(tmp_path, run, rc, words):
    async def scenario(board):
        transport = board.transport(shell_limit_s=1.5)
        for attempt in (transport.run(["echo", "x"]), transport.stream(["cat"])):
            started = time.monotonic()
            with pytest.raises(BoardUnreachable, match=words) as caught:
                await attempt
            assert time.monotonic() - started < 10
            assert ".bashrc" in str(caught.value)
            assert "eamdeploy-frame" not in str(caught.value)
        await transport.close()

    with SshdBoard(tmp_path, files={".bashrc": rc}) as board:
        run(scenario(board))


def test_the_first_command_shares_its_time_with_the_login(tmp_path, run):
    """A board that is slow to log in gets less of it, and the next command has the whole again."""
    limits = []

    async def scenario(board):
        transport = board.transport(shell_limit_s=20.0)
        transport._started -= 5
        for _ in range(2):
            limits.append(transport._limit_of_the_shell())
            await transport.run(["true"])
        transport._has_answered, transport._started = False, transport._started - 60
        limits.append(transport._limit_of_the_shell())
        await transport.close()

    with SshdBoard(tmp_path) as board:
        run(scenario(board))
    assert 12.0 <= limits[0] <= 15.0
    assert limits[1:] == [20.0, 12.0]


@pytest.mark.slow
@pytest.mark.parametrize("rc", ["read answer\n", "exec sh\n", "sleep 60\n"])
def test_the_limits_that_users_have_say_it_within_ten_seconds(tmp_path, run, rc):
    """Doctor and setup wait for one session each, whose limits leave the rest to this program's own start; no clock is asked."""
    assert transport_module.SHELL_LIMIT_S + command_module._EOF_WAIT_S <= 6
    tries = []

    async def scenario(board, attempt):
        transport = board.transport()
        started = transport._connections.start

        async def counted(*arguments):
            tries.append(arguments)
            return await started(*arguments)

        transport._connections.start = counted
        with pytest.raises(BoardUnreachable, match="login shell") as caught:
            await attempt(transport)
        assert caught.value.exit_code == 6
        await transport.close()

    with SshdBoard(tmp_path, files={".bashrc": rc}) as board:
        for attempt in (examine, set_up):
            run(scenario(board, attempt))
    assert len(tries) == 2


@pytest.mark.parametrize(
    ("forced", "words"),
    [
        ("internal-sftp", "may copy files and nothing else"),
        ("echo 'This account is currently not available.'; exit 1", "closed for logins"),
        ('exec rbash -c "$SSH_ORIGINAL_COMMAND"', "restricted"),
        ("exit 7", "exit status 7"),
    ],
)
def test_an_account_that_runs_no_commands(tmp_path, run, forced, words):
    async def scenario(board):
        transport = board.transport()
        with pytest.raises(MissingDependency, match=f"runs no commands for this login .*{words}"):
            await transport.run(["echo", "x"])
        await transport.close()

    with SshdBoard(tmp_path, forced=forced) as board:
        run(scenario(board))


@pytest.mark.slow
@pytest.mark.parametrize("most", [1, 2])
def test_a_server_that_allows_few_sessions(tmp_path, run, most):
    async def scenario(board):
        transport = board.transport()
        streams = [await transport.stream(["cat"]) for _ in range(3)]
        assert (await transport.run(["echo", "in"])).text == "in"
        for number, stream in enumerate(streams):
            await stream.send(str(number))
            assert await anext(aiter(stream)) == str(number)
            await stream.kill()
        await transport.close()

    with SshdBoard(tmp_path, options=[f"MaxSessions {most}"]) as board:
        run(scenario(board))


def test_no_terminal_whatever_the_configuration_asks_for(tmp_path, run):
    async def scenario(board):
        config = tmp_path / "ssh_config"
        config.write_text("Host *\n  RequestTTY force\n  RemoteCommand tmux\n  SetEnv TERM=xterm\n")
        transport = board.transport(config=config)
        done = await transport.run(["sh", "-c", "[ -t 1 ] && echo terminal; cat"], stdin=b"a\nb\n")
        assert done.stdout == b"a\nb\n"
        await transport.close()

    with SshdBoard(tmp_path) as board:
        run(scenario(board))


def test_python_there_takes_nothing_from_the_home_folder_or_the_environment(tmp_path, run):
    """A ``json.py`` at home and another on PYTHONPATH are the user's: neither is ours to run."""
    trap = "open('{0}', 'w').close()\nraise SystemExit('{0}')\n"
    files = {
        "json.py": trap.format(tmp_path / "home-was-run"),
        "lib/numpy.py": trap.format(tmp_path / "path-was-run"),
        "lib/devices/__init__.py": trap.format(tmp_path / "package-was-run"),
    }

    async def scenario(board):
        from devices.doctor import examine
        from devices.session.lock import board_lock

        transport = board.transport(python=(sys.executable,))
        examination = await examine(transport)
        assert examination.facts.python is not None
        async with board_lock(transport, job="test"), BoardSession(transport) as session, session.worker() as worker:
            assert await session.facts()
            assert worker
        await transport.close()

    environment = {"PYTHONPATH": str(tmp_path / "home" / "lib")}
    with SshdBoard(tmp_path, files=files, environment=environment) as board:
        run(scenario(board))
    assert not [path.name for path in tmp_path.iterdir() if path.name.endswith("-was-run")]
    assert wire.decode("x") is None
