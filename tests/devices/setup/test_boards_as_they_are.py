"""Disks, clocks and second setups as they are found on boards, each made for real: doctor, setup and bench agree."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devices.doctor import examine
from devices.session.run import BoardSession
from devices.setup import set_up
from devices.setup.environment import BASE
from devices.transports.protocol import Transport
from eamdeploy.base.errors import BoardUnreachable, EamdeployError, MissingDependency
from runtimes.protocol import RuntimeOptions
from tests.devices.kit.installable_board import installable_board, set_up_there, works
from tests.devices.kit.sshd_board import SshdBoard
from tests.runtimes import tiny_models

Mount = Callable[..., Path]


@pytest.fixture
def mounted() -> Iterator[Mount]:
    """``mounted(folder, "noexec")`` mounts an empty file system there; skipped where this user may not."""
    with contextlib.ExitStack() as stack:

        def mount(folder: Path, options: str) -> Path:
            folder.mkdir(parents=True, exist_ok=True)
            done = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False
            )
            if done.returncode or shutil.which("umount") is None:
                pytest.skip("needs the right to mount a file system")
            stack.callback(subprocess.run, ["umount", "-l", folder], check=False)
            return folder

        yield mount


def fill(folder: Path) -> None:
    """Write until nothing more fits."""
    with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)
    assert os.statvfs(folder).f_bavail == 0


def diagnoses(board: SshdBoard, run) -> dict[str, tuple[str, str]]:
    async def scenario():
        transport = board.transport(python=(sys.executable,))
        try:
            return await examine(transport)
        finally:
            await transport.close()

    return {
        diagnosis.check: (diagnosis.level, f"{diagnosis.observation}: {diagnosis.meaning}")
        for diagnosis in run(scenario()).findings
    }


async def load_with(transport: Transport, artifact: Path) -> None:
    async with BoardSession(transport) as session, session.worker() as worker:
        await worker.load(await session.push(artifact), "onnxruntime", RuntimeOptions())


async def load_on(board: SshdBoard, artifact: Path) -> None:
    transport = board.transport(python=(sys.executable,))
    try:
        await load_with(transport, artifact)
    finally:
        await transport.close()


def test_a_home_mounted_noexec(tmp_path, run, mounted):
    """Nothing that is installed there can be loaded: the doctor says so, and setup replaces nothing."""
    mounted(tmp_path / "home", "noexec,size=64m")
    with installable_board(tmp_path) as board:
        level, words = diagnoses(board, run)["home"]
        assert level == "problem"
        assert "mounted noexec" in words
        with pytest.raises(MissingDependency, match=r"can be loaded .*mounted noexec") as caught:
            run(set_up_there(board))
        assert caught.value.exit_code == 7
        assert not (board.home / BASE).exists()


def test_a_full_home(tmp_path, run, mounted):
    """The environment that works stays, and the message says what to do."""
    home = mounted(tmp_path / "home", "size=16m")
    with installable_board(tmp_path) as board:
        run(set_up_there(board))
        assert works(board)
        fill(home)
        with pytest.raises(EamdeployError) as caught:
            run(set_up_there(board))
        assert caught.value.exit_code == 7
        assert "disk is full" in str(caught.value) or "No space left" in str(caught.value), caught.value
        assert works(board)


def test_a_read_only_home(tmp_path, run, mounted):
    """Runs work from the folder for temporary files; setup has no place and says so, as the doctor does."""
    home = mounted(tmp_path / "home", "size=16m")
    artifact = tmp_path / "tiny.onnx"
    tiny_models.write_onnx(artifact, metadata=tiny_models.metadata())
    with installable_board(tmp_path) as board:
        subprocess.run(["mount", "-o", "remount,ro", home], check=True)
        level, words = diagnoses(board, run)["home"]
        assert level == "warning"
        assert "read-only" in words
        run(load_on(board, artifact))
        with pytest.raises(MissingDependency, match="Read-only file system") as caught:
            run(set_up_there(board))
        assert caught.value.exit_code == 7
        assert list(board.tmp.iterdir()) == []


def test_a_full_folder_for_temporary_files(tmp_path, run, mounted):
    """Runs take another folder where one has room, and say that the disk is full where none has."""
    artifact = tmp_path / "tiny.onnx"
    tiny_models.write_onnx(artifact, metadata=tiny_models.metadata(), layers=3, width=128, px=32)
    assert artifact.stat().st_size > 1 << 20
    full = mounted(tmp_path / "tmp", "size=256k")
    with installable_board(tmp_path) as board:
        fill(full)
        level, words = diagnoses(board, run)["disk"]
        assert (level, "disk is full" in words) == ("problem", True), words
        with pytest.raises(MissingDependency, match="disk is full") as caught:
            run(load_on(board, artifact))
        assert caught.value.exit_code == 7
        assert [path.name for path in full.iterdir()] == ["filler"]


def test_a_home_that_holds_no_more_files(tmp_path, run, mounted):
    """Room enough, and no more names: `df -h` shows nothing wrong."""
    mounted(tmp_path / "home", "nr_inodes=14,size=64m")
    with installable_board(tmp_path) as board:
        level, words = diagnoses(board, run)["home"]
        assert (level, "more files" in words) == ("warning", True), words
        with pytest.raises(MissingDependency, match=r"No space left .*df -i") as caught:
            run(set_up_there(board))
        assert caught.value.exit_code == 7


def test_a_temporary_folder_that_holds_no_more_files(tmp_path, run, mounted):
    mounted(tmp_path / "tmp", "nr_inodes=3,size=640m")
    with installable_board(tmp_path) as board:
        level, words = diagnoses(board, run)["disk"]
        assert (level, "can hold no more files" in words) == ("problem", True), words


def test_a_home_that_is_not_there(tmp_path, run):
    with installable_board(tmp_path, environment={"HOME": str(tmp_path / "gone")}) as board:
        level, words = diagnoses(board, run)["home"]
        assert (level, "there is no folder" in words) == ("warning", True), words


def test_a_python_without_ctypes_runs_models(tmp_path, run):
    """As one that was built on the board without libffi."""
    artifact = tmp_path / "tiny.onnx"
    tiny_models.write_onnx(artifact, metadata=tiny_models.metadata())
    built = tmp_path / "built"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", built], check=True)
    (site,) = built.glob("lib/python3*/site-packages")
    (site / "a.pth").write_text("import sys; sys.modules['_ctypes'] = None\n")
    (site / "b.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n")

    async def scenario(board):
        transport = board.transport(python=(str(built / "bin/python"),))
        try:
            await load_with(transport, artifact)
        finally:
            await transport.close()

    with installable_board(tmp_path) as board:
        run(scenario(board))


def test_a_clock_of_1970_is_named_and_stops_no_setup(tmp_path, run):
    """A board without a battery that has not met a time server yet."""
    with installable_board(tmp_path) as board:
        board.program("date", 'case $1 in +%s) echo 17 ;; *) exec /bin/date "$@" ;; esac')
        level, words = diagnoses(board, run)["clock"]
        assert level == "warning"
        assert "against this machine" in words
        run(set_up_there(board))
        assert works(board)


def test_a_second_setup_at_once_is_told_and_leaves_the_first_alone(tmp_path, run):
    async def scenario(board):
        first = asyncio.create_task(set_up_there(board))
        while not (board.home / BASE / "environments").is_dir():
            assert not first.done(), first
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        with pytest.raises(BoardUnreachable, match="the board is being set up already") as caught:
            await set_up_there(board)
        assert caught.value.exit_code == 6
        return await first

    with installable_board(tmp_path) as board:
        assert run(scenario(board)).packages["numpy"] == "9.1"
        assert works(board)
        assert len(list((board.home / BASE / "environments").iterdir())) == 1


def test_a_server_that_opens_no_session(tmp_path, run):
    async def scenario(board, attempt):
        transport = board.transport(python=(sys.executable,))
        try:
            await attempt(transport)
        finally:
            await transport.close()

    attempts = {"doctor": examine, "setup": set_up, "command": lambda transport: transport.run(["true"])}
    with SshdBoard(tmp_path, options=["MaxSessions 0"]) as board:
        for name, attempt in attempts.items():
            with pytest.raises(MissingDependency, match="the board opens no session for commands") as caught:
                run(scenario(board, attempt))
            assert caught.value.exit_code == 7, name
            assert "MaxSessions" in str(caught.value.hint)


def interpreter(version: str) -> str:
    """A real Python of that version, on the path or among pyenv's; a test is skipped where there is none."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    places = [str(path) for path in root.glob(f"versions/{version}.*/bin/python{version}")]
    for place in [*places, shutil.which(f"python{version}")]:
        if place and subprocess.run([place, "-c", ""], capture_output=True, check=False).returncode == 0:
            return place
    pytest.skip(f"needs Python {version}")


@pytest.mark.parametrize("version", ["3.6", "3.7", "3.8"])
def test_a_python_that_is_too_old_is_said_alike_by_doctor_setup_and_bench(tmp_path, run, version):
    old = interpreter(version)
    artifact = tmp_path / "tiny.onnx"
    tiny_models.write_onnx(artifact, metadata=tiny_models.metadata())

    async def scenario(board, attempt):
        transport = board.transport()
        try:
            return await attempt(transport)
        finally:
            await transport.close()

    async def measure(transport):
        await load_with(transport, artifact)

    with installable_board(tmp_path) as board:
        board.program("python3", f'exec {old} "$@"')
        examination = run(scenario(board, examine))
        diagnosis = next(each for each in examination.findings if each.check == "Python")
        assert diagnosis.level == "problem", diagnosis
        sentences = {"doctor": f"{diagnosis.observation} {diagnosis.meaning}"}
        for name, attempt in {"setup": set_up, "bench": measure}.items():
            with pytest.raises(MissingDependency) as caught:
                run(scenario(board, attempt))
            assert caught.value.exit_code == 7
            sentences[name] = str(caught.value)
        assert all(version in words and "3.9" in words for words in sentences.values()), sentences
        assert not (board.home / BASE).exists()
