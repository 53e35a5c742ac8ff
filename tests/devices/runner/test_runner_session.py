"""The runner on a board: driven for real, over this machine and over an SSH server in this process, and broken."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from devices.runner.bundle import bundle
from devices.session.run import BoardSession
from devices.transports.local import LocalTransport
from eamdeploy.base.errors import BoardUnreachable, MeasurementError, MissingDependency, UsageError
from runtimes.protocol import RuntimeOptions
from tests.devices.board_server import BoardServer
from tests.runtimes import tiny_models

QUICK = {"seconds": 0.0, "min_samples": 7, "max_samples": 7, "warmup_seconds": 0.2}


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "my model.onnx"
    tiny_models.write_onnx(path)
    return path


def local(tmp_path, **options):
    transport = LocalTransport(**options)
    transport.work_root = str(tmp_path / "board")
    Path(transport.work_root).mkdir(exist_ok=True)
    return transport


def left(tmp_path):
    return sorted(path.name for path in (tmp_path / "board").iterdir())


def processes(workdir):
    """Processes that run out of a folder."""
    process_ids = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if workdir.encode() in (entry / "cmdline").read_bytes():
                    process_ids.append(int(entry.name))
            except OSError:
                continue
    return process_ids


async def measure(transport, path, runtime="onnxruntime", **options):
    async with BoardSession(transport) as session, session.worker() as worker:
        load = await worker.load(await session.push(path), runtime, RuntimeOptions(**options))
        return load, await worker.measure(**QUICK)


def test_a_measurement_keeps_every_sample_and_what_came_before_it(tmp_path, model, run):
    load, answer = run(measure(local(tmp_path), model))
    timing = answer["timing"]
    assert load["version"].startswith("onnxruntime ")
    assert load["import_ms"] > 0
    assert load["load_ms"] > 0
    assert len(timing["samples_ns"]) == len(timing["starts_ns"]) == 7
    assert min(timing["samples_ns"]) > 0
    assert timing["first_ns"] > 0
    assert len(timing["warmup_ns"]) >= 1
    assert len(timing["conditions"]) >= 2
    assert answer["peak_mb"] > 10
    assert left(tmp_path) == []


def test_the_same_over_ssh_leaves_nothing_on_the_board(tmp_path, model, run, until):
    async def scenario():
        async with BoardServer(tmp_path / "pi") as board:
            _, answer = await measure(board.transport(python=(sys.executable,)), model)
            assert len(answer["timing"]["samples_ns"]) == 7
            await until(lambda: not board.running())
            assert [path for path in board.tmp.iterdir() if path.name.startswith("eamdeploy.")] == []

    run(scenario())


def test_each_worker_is_a_process_of_its_own_and_idle_ones_do_not_disturb(tmp_path, model, run):
    async def scenario():
        async with BoardSession(local(tmp_path)) as session:
            remote = await session.push(model)
            async with session.worker() as first, session.worker() as two:
                await asyncio.gather(*(each.load(remote, "onnxruntime", RuntimeOptions()) for each in (first, two)))
                timings = await asyncio.gather(first.measure(**QUICK), two.measure(**QUICK))
                assert all(len(answer["timing"]["samples_ns"]) == 7 for answer in timings)

    run(scenario())


def test_an_artifact_that_is_rejected_is_named_as_the_user_knows_it_and_the_session_goes_on(tmp_path, model, run):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"not a model" * 9)

    async def scenario():
        async with BoardSession(local(tmp_path)) as session:
            with pytest.raises(UsageError, match=r"does not accept the artifact") as caught:
                async with session.worker() as worker:
                    await worker.load(await session.push(bad), "onnxruntime", RuntimeOptions())
            assert str(bad) in str(caught.value)
            assert session.workdir not in str(caught.value)
            async with session.worker() as worker:
                await worker.load(await session.push(model), "onnxruntime", RuntimeOptions())

    run(scenario())


def test_a_killed_worker_is_reported_with_its_signal_and_the_session_goes_on(tmp_path, model, run):
    async def scenario():
        async with BoardSession(local(tmp_path)) as session:
            remote = await session.push(model)
            async with session.worker() as worker:
                await worker.load(remote, "onnxruntime", RuntimeOptions())
                asking = asyncio.create_task(worker.measure(seconds=30.0))
                await asyncio.sleep(0.5)
                (pid,) = [
                    p for p in processes(session.workdir) if b"--worker" in Path(f"/proc/{p}/cmdline").read_bytes()
                ]
                os.kill(pid, signal.SIGKILL)  # as the kernel does when memory runs out
                with pytest.raises(MeasurementError, match=r"was killed.*SIGKILL.*memory"):
                    await asking
            assert session.alive
            async with session.worker() as worker:
                await worker.load(remote, "onnxruntime", RuntimeOptions())

    run(scenario())
    assert left(tmp_path) == []


def test_a_killed_runner_takes_its_workers_along_and_its_folder_is_removed(tmp_path, model, run, until):
    async def scenario():
        session = BoardSession(local(tmp_path))
        async with session:
            async with session.worker() as worker:
                await worker.load(await session.push(model), "onnxruntime", RuntimeOptions())
                asking = asyncio.create_task(worker.measure(seconds=30.0))
                await asyncio.sleep(0.5)
                for pid in processes(session.workdir):
                    if b"--worker" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                        os.kill(pid, signal.SIGKILL)
                with pytest.raises(MeasurementError, match=r"runner was killed.*signal 9"):
                    await asking
            await until(lambda: not processes(session.workdir))

    run(scenario())
    assert left(tmp_path) == []


def test_a_cut_link_ends_everything_on_the_board(tmp_path, model, run, until):
    async def scenario():
        async with BoardServer(tmp_path / "pi") as board:
            transport = board.transport(python=(sys.executable,))
            async with BoardSession(transport) as session, session.worker() as worker:
                await worker.load(await session.push(model), "onnxruntime", RuntimeOptions())
                asking = asyncio.create_task(worker.measure(seconds=30.0))
                await asyncio.sleep(0.5)
                assert processes(session.workdir)
                board.cut()
                with pytest.raises(BoardUnreachable):
                    await asking
            await until(lambda: not processes(session.workdir))
            await until(lambda: not Path(session.workdir).exists())
            await transport.close()

    run(scenario())


def test_a_host_that_falls_silent_is_taken_for_gone(tmp_path, until, run):
    """The link is open but frozen: no end of input ever comes."""
    folder = tmp_path / "eamdeploy.x"
    folder.mkdir()
    (folder / "eam_runner.pyz").write_bytes(bundle())
    command = [sys.executable, str(folder / "eam_runner.pyz"), "--workdir", str(folder), "--silence", "1"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        process.stdin.write(b'{"op":"start","worker":"w"}\n')
        process.stdin.flush()
        assert process.wait(timeout=20) == 1
    finally:
        process.kill()
        process.stdin.close()
        process.stdout.close()
    assert not folder.exists()
    assert processes(str(folder)) == []


def test_a_board_that_falls_silent_is_taken_for_lost(tmp_path, run):
    async def scenario():
        async with BoardSession(local(tmp_path), silence_s=2.0) as session, session.worker():
            for pid in processes(session.workdir):
                os.kill(pid, signal.SIGSTOP)
            with pytest.raises(BoardUnreachable, match=r"fell silent.*nothing was heard"):
                await session.facts()

    run(scenario())


def test_noise_on_the_line_is_passed_over(tmp_path, model, run):
    """A login shell that greets, before and in the middle of a line."""
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\necho "Welcome to board"\nprintf "no line end"\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    _, answer = run(measure(local(tmp_path, python=(str(script),)), model))
    assert len(answer["timing"]["samples_ns"]) == 7


def test_a_board_without_a_runner_says_what_it_said_instead(tmp_path, run):
    async def scenario(python):
        async with BoardSession(local(tmp_path, python=python)):
            pass

    with pytest.raises(MeasurementError, match=r"ended too early.*cannot serve you"):
        run(scenario(("sh", "-c", "echo cannot serve you; exit 3")))
    with pytest.raises(MissingDependency, match=r"Python could not be started"):
        run(scenario(("sh", "-c", "exit 127")))
    assert left(tmp_path) == []


def test_an_old_python_is_told_apart(tmp_path, run):
    """The entry point itself must parse on any Python, to be able to say so."""
    archive = tmp_path / "runner.pyz"
    archive.write_bytes(bundle())
    main = zipfile.ZipFile(archive).read("__main__.py").decode()
    pretend = main.replace("import sys\n", "import sys\nsys.version_info = (3, 6, 15)\n", 1)
    done = subprocess.run([sys.executable, "-c", pretend], capture_output=True, text=True, check=False)
    assert "needs Python 3.9" in done.stderr

    async def scenario():
        python = ("sh", "-c", f"echo '{done.stderr.strip()}' >&2; exit 1")
        async with BoardSession(local(tmp_path, python=python)):
            pass

    with pytest.raises(MissingDependency, match=r"too old.*this is 3\.6"):
        run(scenario())


def test_a_runtime_that_the_board_lacks_is_reported_with_the_way_to_get_it(tmp_path, model, run):
    """A real environment of its own: first without anything, then with numpy alone."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    transport = local(tmp_path, name="mypi", python=(str(tmp_path / "bare/bin/python"),))
    with pytest.raises(MissingDependency, match=r"numpy is not installed on the board"):
        run(measure(transport, model))
    (site,) = (tmp_path / "bare/lib").glob("python*/site-packages")
    installed = Path(np.__file__).parent
    (site / "numpy").symlink_to(installed)
    (site / "numpy.libs").symlink_to(installed.with_name("numpy.libs"))
    with pytest.raises(MissingDependency, match=r"onnxruntime is not installed \(on mypi\).*devices setup mypi"):
        run(measure(transport, model))


def test_ctrl_c_leaves_nothing(tmp_path, model):
    """A real SIGINT to a real process that measures."""
    board = tmp_path / "board"
    board.mkdir()
    code = f"""
import asyncio, sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from pathlib import Path
from devices.transports.local import LocalTransport
from devices.session.run import BoardSession
from runtimes.protocol import RuntimeOptions
async def main():
    transport = LocalTransport(); transport.work_root = {str(board)!r}
    async with BoardSession(transport) as session, session.worker() as worker:
        await worker.load(await session.push(Path({str(model)!r})), "onnxruntime", RuntimeOptions())
        print("measuring", flush=True)
        await worker.measure(seconds=60.0)
asyncio.run(main())
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "measuring"
    (workdir,) = board.iterdir()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in stderr
    assert list(board.iterdir()) == []
    assert processes(str(workdir)) == []


def test_the_supervisor_refuses_a_folder_that_is_not_its_own(tmp_path):
    archive = tmp_path / "runner.pyz"
    archive.write_bytes(bundle())
    precious = tmp_path / "home"
    precious.mkdir()
    command = [sys.executable, str(archive), "--workdir", str(precious)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "refusing" in done.stderr
    assert precious.exists()
