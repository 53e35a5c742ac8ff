"""Faults on a whole machine with a real OpenSSH server: the emulated board, as an ordinary user runs it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import asyncssh
import pytest

from devices.doctor import examine, read_facts
from devices.doctor.examine import judge
from devices.session.lock import board_lock
from devices.session.run import BoardSession
from devices.setup import set_up
from eamdeploy.base.errors import BoardUnreachable, MeasurementError, MissingDependency
from runtimes.protocol import RuntimeOptions
from tests.devices.emulated_board import RunningBoard, model, needs_qemu
from tests.recorded_progress import RecordedProgress

pytestmark = [pytest.mark.emulated, pytest.mark.timeout(900)]
QUICK = {"seconds": 0.0, "min_samples": 5, "max_samples": 5, "warmup_seconds": 0.2}


@pytest.fixture(scope="module")
def board():
    needs_qemu()
    running = RunningBoard("pi4")
    yield running
    running.close()


def _levels(facts):
    return {finding.check: finding.level for finding in judge(facts).findings}


async def _measure(transport, path, runtime="onnxruntime"):
    async with BoardSession(transport) as session, session.worker() as worker:
        load = await worker.load(await session.push(path), runtime, RuntimeOptions())
        return load, await worker.measure(**QUICK), await session.conditions()


def test_it_is_the_profile_s_machine_and_runs_as_an_ordinary_user(board):
    facts = board.run(examine(board.transport)).facts
    assert facts.machine == "aarch64"
    assert facts.user == "board"
    assert "asimd" in facts.features
    assert "asimddp" not in facts.features  # a Cortex-A72 has no dot product
    assert facts.python.release == (3, 11)
    from importlib import metadata

    assert facts.python.runtimes["onnxruntime"] == metadata.version("onnxruntime")
    assert facts.python.runtimes["ai-edge-litert"] == metadata.version("ai-edge-litert")
    # what it has no sensor for is absent, not zero
    assert facts.temperature_c is None
    assert facts.throttled is None
    assert "governor" not in facts.settings
    assert facts.power_source is None
    assert abs(facts.clock_offset_s) < 60
    assert board.run(board.transport.run(["touch", "/etc/x"])).exit_status != 0


def test_a_run_without_any_sensor_leaves_nothing_behind(board, tmp_path):
    _, answer, conditions = board.run(_measure(board.transport, model(tmp_path)))
    assert len(answer["timing"]["samples_ns"]) == 5
    assert "temperature_c" not in conditions
    assert "throttled" not in conditions
    assert "power_mw" not in conditions
    assert board.folders() == []
    assert board.processes("eam_runner") == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"host_key": "other"}, "not the one on file"),
        ({"known_hosts": "empty"}, "host key is not known"),
        ({"user": "nobody-here"}, "refuses the login"),
        ({"port": 1}, "refuses the connection"),
    ],
)
def test_a_real_ssh_server_is_checked(board, tmp_path, changes, message):
    changes = dict(changes)
    if "host_key" in changes:
        other = asyncssh.generate_private_key("ssh-ed25519")
        changes["host_key"] = other.export_public_key("openssh").decode().strip()
    if "known_hosts" in changes:
        changes["known_hosts"] = tmp_path / "known_hosts"
        changes["known_hosts"].write_text("")
    with pytest.raises(BoardUnreachable, match=message) as caught:
        board.run(board.login(changes.pop("user", "board"), **changes).connect())
    assert caught.value.exit_code == 6


def test_killing_a_command_ends_all_of_it_on_the_board(board):
    async def scenario():
        stream = await board.transport.stream(["sh", "-c", "sleep 4321 & echo started; wait"])
        assert await anext(aiter(stream)) == "started"
        await stream.kill()

    board.run(scenario())
    assert board.processes("sleep 4321") == []


def test_a_full_disk_is_said_and_nothing_stays_there(board, tmp_path):
    board.as_root("mkdir -p /tmp/small && mount -t tmpfs -o size=1m,mode=1777 small /tmp/small")
    transport = board.login()
    transport.work_root = "/tmp/small"
    big = tmp_path / "big"
    big.write_bytes(os.urandom(3 << 20))

    async def scenario():
        try:
            async with BoardSession(transport) as session:
                await session.push(big)
        finally:
            await transport.close()

    with pytest.raises(MissingDependency, match="the board's disk is full") as caught:
        board.run(scenario())
    assert caught.value.exit_code == 7
    assert "free some space" in str(caught.value)
    assert board.run(board.transport.run(["ls", "-A", "/tmp/small"])).text == ""
    board.as_root("umount /tmp/small && rmdir /tmp/small")


def test_a_read_only_home_is_no_obstacle_to_a_run_and_said_by_setup(board, tmp_path):
    board.as_root("mount -t tmpfs -o ro home /home/board")
    try:
        _, answer, _ = board.run(_measure(board.transport, model(tmp_path)))
        assert len(answer["timing"]["samples_ns"]) == 5
        levels = _levels(board.run(read_facts(board.transport, python="no")))
        assert levels["home"] == "warning"
        with pytest.raises(MissingDependency, match="Read-only file system"):
            board.run(set_up(board.transport, runtimes=["onnxruntime"], offline=True))
        with pytest.raises(MissingDependency, match="nothing can be written there"):
            board.run(board.transport.push(tmp_path / "my model.onnx", "/home/board/m"))
    finally:
        board.as_root("umount /home/board")


def test_a_python_without_numpy_and_without_runtimes(board, tmp_path):
    """A fresh environment, as a board has before `devices setup`."""
    creation = board.run(board.transport.run(["python3", "-m", "venv", "--without-pip", "/tmp/bare"], timeout_s=300))
    assert creation.ok, creation.error_text
    bare = board.login(python=("/tmp/bare/bin/python",))
    try:
        with pytest.raises(MissingDependency, match="numpy") as caught:
            board.run(_measure(bare, model(tmp_path)))
        assert caught.value.exit_code == 7
        assert "devices setup" in str(caught.value)
        diagnosis_by_check = {finding.check: finding for finding in board.run(examine(bare)).findings}
        assert diagnosis_by_check["numpy"].level == "problem"
        assert diagnosis_by_check["runtimes"].level == "problem"
        assert "onnxruntime and ai-edge-litert" in diagnosis_by_check["runtimes"].meaning
        assert board.folders() == []
    finally:
        board.run(bare.close())


def test_throttling_and_under_voltage_are_seen(board):
    """The firmware's tool of a Raspberry Pi, made to report both."""
    board.as_root(
        "printf '#!/bin/sh\\n[ \"$1\" = get_throttled ] && echo throttled=0x50005\\n' > /usr/bin/vcgencmd;"
        "chmod 755 /usr/bin/vcgencmd"
    )
    try:

        async def read():
            async with BoardSession(board.transport) as session:
                return await session.conditions()

        assert board.run(read())["throttled"] == 0x50005
        assert _levels(board.run(read_facts(board.transport, python="version")))["throttling"] == "problem"
    finally:
        board.as_root("rm /usr/bin/vcgencmd")


def test_a_jump_of_the_clock_does_not_touch_durations(board, tmp_path):
    path = model(tmp_path)

    async def scenario():
        async with BoardSession(board.transport) as session, session.worker() as worker:
            await worker.load(await session.push(path), "onnxruntime", RuntimeOptions())
            measuring = asyncio.create_task(worker.measure(seconds=3.0, min_samples=50, max_samples=5000))
            await asyncio.sleep(0.5)
            root = board.login("root", silence_s=90)
            assert (await root.run(["date", "-s", "2031-01-01"])).ok
            await root.close()
            return await measuring

    try:
        timing = board.run(scenario())["timing"]
        assert 0 < min(timing["samples_ns"]) <= max(timing["samples_ns"]) < 60e9
        assert _levels(board.run(read_facts(board.transport, python="no")))["clock"] == "warning"
    finally:
        board.as_root(f"date -s @{int(time.clock_gettime(time.CLOCK_REALTIME))}")


def test_a_frozen_board_is_noticed_and_lets_go_of_its_lock(board):
    """The machine stops (SIGSTOP) with the connection open; later it comes back, to no host."""
    transport = board.login(silence_s=6.0)
    machine = board.transport.machine

    async def scenario():
        async with board_lock(transport, job="bench", silence_s=8.0):
            stream = await transport.stream(["sh", "-c", "echo on; sleep 5432"])
            assert await anext(aiter(stream)) == "on"
            machine.send_signal(signal.SIGSTOP)
            started = time.monotonic()
            with pytest.raises(BoardUnreachable, match="lost"):
                await stream.wait()
            assert time.monotonic() - started < 30

    try:
        board.run(scenario())
    finally:
        machine.send_signal(signal.SIGCONT)
        board.run(transport.close())
    other = board.login(silence_s=90)

    async def take():
        async with board_lock(other, job="next", wait_s=60):
            pass
        await other.close()

    board.run(take())
    assert board.folders() == []


@pytest.mark.slow
def test_setup_brings_wheels_to_a_board_without_an_index(board, tmp_path):
    progress = RecordedProgress()
    transport = board.login(silence_s=90)
    installed = board.run(set_up(transport, runtimes=["onnxruntime"], progress=progress))
    assert installed.offline
    assert any("bringing wheels from here" in sentence for sentence in progress.sentences)
    assert installed.packages.keys() == {"numpy", "onnxruntime"}
    transport.python = (installed.python,)
    load, _, _ = board.run(_measure(transport, model(tmp_path)))
    assert load["version"] == f"onnxruntime {installed.packages['onnxruntime']}"
    assert board.folders() == []
    board.run(transport.close())


def test_power_cut_in_mid_run(tmp_path):
    """SIGKILL of the machine: noticed, said, and nothing of it stays on this side either."""
    needs_qemu()
    running = RunningBoard("pi-zero2w")
    machine = running.transport.machine
    folder = machine._folder
    path = model(tmp_path)

    async def scenario():
        async with BoardSession(running.transport) as session, session.worker() as worker:
            await worker.load(await session.push(path), "onnxruntime", RuntimeOptions())
            measuring = asyncio.create_task(worker.measure(seconds=600.0, min_samples=10**6, max_samples=10**7))
            await asyncio.sleep(1)
            machine.send_signal(signal.SIGKILL)
            await measuring

    with pytest.raises((BoardUnreachable, MeasurementError)) as caught:
        running.run(scenario())
    assert isinstance(caught.value, BoardUnreachable)
    assert "lost" in str(caught.value)
    with pytest.raises(BoardUnreachable, match="emulated board has stopped"):
        running.run(running.transport.run(["true"]))
    running.close()
    assert machine.pid is None
    assert not folder.exists()


def test_the_machine_dies_with_the_process_that_started_it(tmp_path):
    import subprocess

    needs_qemu()
    code = (
        "import asyncio, os\n"
        "from devices.transports.emulated import Machine, build_image\n"
        "async def main():\n"
        "    machine = Machine(build_image())\n"
        "    asyncio.get_running_loop().call_later(1.5, lambda: (print(machine.pid, flush=True), os._exit(9)))\n"
        "    await machine.start()\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 9, done.stderr
    pid = int(done.stdout)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{pid}").exists()
