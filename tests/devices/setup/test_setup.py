"""Setting a board up: the environment that works stays until the next one does, whatever happens in between."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from devices.doctor.wheels import runtime_wheels
from devices.setup import set_up
from devices.setup.environment import BASE, ENVIRONMENT_PYTHON
from devices.setup.models import smallest_model
from eamdeploy.base.errors import EamdeployError, MissingDependency
from runtimes.protocol import RuntimeOptions
from runtimes.registry import get_runtime
from tests.devices.kit.installable_board import installable_board, set_up_there, wheels, works
from tests.devices.kit.sshd_board import SshdBoard


def _environments(board: SshdBoard) -> list[Path]:
    return sorted((board.home / BASE / "environments").iterdir())


def test_a_second_setup_takes_the_place_of_the_first_and_leaves_nothing(tmp_path, run):
    with installable_board(tmp_path) as board:
        installed = run(set_up_there(board))
        assert installed.packages == {"numpy": "9.1", "onnxruntime": "9.2"}
        assert installed.python == str(board.home / ENVIRONMENT_PYTHON)
        assert works(board)
        first = _environments(board)
        assert run(set_up_there(board)).python == installed.python
        second = _environments(board)
        assert len(first) == len(second) == 1
        assert first != second
        assert works(board)
        assert list(board.tmp.iterdir()) == []


@pytest.mark.slow
def test_packages_that_do_not_work_replace_nothing(tmp_path, run):
    with installable_board(tmp_path) as board:
        run(set_up_there(board))
        before = _environments(board)
        wheels(tmp_path / "index", works=False)
        with pytest.raises(MissingDependency, match=r"was installed and does not work .* still in place"):
            run(set_up_there(board))
        assert _environments(board) == before
        assert works(board)


@pytest.mark.slow
def test_the_folder_of_an_earlier_release_becomes_the_link(tmp_path, run):
    with installable_board(tmp_path) as board:
        old = board.home / BASE / "venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", old], check=True)
        run(set_up_there(board))
        assert old.is_symlink()
        assert len(_environments(board)) == 1
        assert works(board)


@pytest.mark.slow
def test_a_python_that_is_gone_is_replaced_by_the_boards_own(tmp_path, run):
    async def scenario(board):
        transport = board.transport(python=(str(board.home / ENVIRONMENT_PYTHON),))
        installed = await set_up(transport, runtimes=["onnxruntime"], offline=False)
        await transport.close()
        return installed

    with installable_board(tmp_path) as board:
        board.program("python3", f'exec {sys.executable} "$@"')
        assert run(scenario(board)).packages["numpy"] == "9.1"
        assert works(board)


def _interrupt(tmp_path: Path, run, times: int) -> None:
    """Ctrl-C, or a lost link, at random moments of a second setup."""
    chance = random.Random(times)

    async def once(board, delay_s, ending):
        transport = board.transport(python=(sys.executable,))
        task = asyncio.create_task(set_up(transport, runtimes=["onnxruntime"], offline=False))
        await asyncio.wait({task}, timeout=delay_s)
        if ending == "ctrl-c":
            task.cancel()
        else:
            for connection in list(transport._connections._open):
                connection.abort()
        done = (await asyncio.gather(task, return_exceptions=True))[0]
        assert isinstance(done, (asyncio.CancelledError, EamdeployError)) or hasattr(done, "packages"), repr(done)
        await transport.close()

    with installable_board(tmp_path) as board:
        loop = asyncio.new_event_loop()
        started = loop.time()
        run(set_up_there(board))
        whole_s = loop.time() - started
        loop.close()
        for number in range(times):
            run(once(board, chance.uniform(0, 1.1 * whole_s), ("ctrl-c", "lost link")[number % 2]))
            run(_settled(board))
            assert works(board), number
            assert list(board.tmp.iterdir()) == [], number


async def _settled(board: SshdBoard) -> None:
    """Wait for what the board clears up by itself after a lost link."""
    for _ in range(300):
        if len(_environments(board)) == 1 and not list(board.tmp.iterdir()):
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"left over: {_environments(board)} {list(board.tmp.iterdir())}")


@pytest.mark.slow
def test_fifty_interrupted_setups_leave_what_worked(tmp_path, run):
    _interrupt(tmp_path, run, int(os.environ.get("EAMDEPLOY_INTERRUPTIONS", "50")))


@pytest.mark.parametrize("package", [wheel.package for wheel in runtime_wheels()])
def test_every_runtime_that_setup_installs_has_a_model_to_prove_it(package, tmp_path):
    runtime, files = smallest_model(package)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    if not get_runtime(runtime).available():
        pytest.skip(f"{package} is not installed")
    session = get_runtime(runtime).load(tmp_path / next(iter(files)), RuntimeOptions())
    assert session.run(np.ones((1, 3, 2, 2), np.float32))[0].shape == (1, 3, 2, 2)
    session.close()
