"""The doctor on boards with one thing wrong each, over a real SSH connection where the fault can be made for real."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from devices.doctor import examine
from devices.doctor.answer import Survey
from devices.doctor.examine import judge
from devices.doctor.facts import PythonFacts, parse_facts
from devices.setup import set_up
from devices.setup.install import _chosen
from eamdeploy.base.decoding import convert
from eamdeploy.base.errors import MissingDependency
from tests.devices.board_server import BoardServer

PI5 = {
    "machine": "aarch64", "os": "Debian GNU/Linux 12 (bookworm)", "kernel": "6.12", "libc": "glibc 2.36", "bits": "64",
    "model": "Raspberry Pi 5 Model B", "cpus": "4", "features": "fp asimd fphp asimdhp asimddp", "MemTotal": "8000000",
    "MemAvailable": "7000000", "SwapTotal": "100000", "SwapFree": "100000", "load": "0.05",
    "work_folder": "/tmp", "work_free_kb": "4000000", "home": "/home/pi", "home_exists": "yes", "home_writable": "yes",
    "seconds": "1000",
}  # fmt: skip
SENSED = {
    "readings": {
        "temperature_c": 48.3,
        "throttled": 0,
        "power_source": "Raspberry Pi PMIC rails",
        "clock_max_mhz": 2400.0,
    },
    "settings": {"governor": "performance"},
}
_SENSED = ("readings", "settings", "problems")
PYTHON = PythonFacts(
    version="3.11.2", executable="/usr/bin/python3", platform="linux-aarch64", bits=64, numpy="2.4.6",
    runtimes={"onnxruntime": "1.32.0", "ai-edge-litert": "2.3.0", "tflite-runtime": None}, pip=True, venv=True,
)  # fmt: skip


def _present(values):
    return {name: value for name, value in values.items() if value is not None}


def findings(changes=None, python=PYTHON, **sensed):
    values = {name: value for name, value in (PI5 | (changes or {})).items() if value is not None}
    facts = parse_facts(
        values,
        python=python,
        python_error=None if python else "sh: python3: not found",
        probe_s=0.1,
        now=1000.0,
        sensed=convert(
            Survey, {name: _present(SENSED.get(name, {}) | sensed.get(name, {})) for name in _SENSED}, where=""
        ),
    )
    return judge(facts)


def test_a_healthy_board():
    examination = findings()
    assert examination.healthy
    assert {finding.level for finding in examination.findings} == {"ok"}
    assert examination.facts.temperature_c == 48.3
    assert examination.facts.throttled == 0
    assert examination.facts.power_source == "Raspberry Pi PMIC rails"


@pytest.mark.parametrize(
    ("changes", "check", "level", "words"),
    [
        ({"machine": "armv7l", "bits": "32"}, "machine", "problem", "no wheels for 32-bit"),
        ({"bits": "32"}, "machine", "problem", "64-bit system"),
        ({"libc": "glibc 2.24"}, "C library", "warning", "onnxruntime needs 2.27"),
        ({"libc": "ldd (Ubuntu GLIBC 2.12-0ubuntu)"}, "C library", "problem", "no runtime has wheels"),
        ({"libc": "musl libc (aarch64)"}, "C library", "problem", "not Alpine"),
        ({"features": "fp asimd evtstrm crc32"}, "int8", "note", "538 against 332 ms"),
        ({"features": None}, "CPU", "warning", "not readable"),
        ({"load": "3.5"}, "load", "warning", "something else is running"),
        ({"seconds": "1"}, "clock", "warning", "-999 s"),
        ({"MemAvailable": "90000"}, "memory", "warning", "killed"),
        ({"SwapTotal": "500000", "SwapFree": "100000"}, "swap", "warning", "wait for the disk"),
        ({"work_free_kb": "900"}, "disk", "problem", "disk is full"),
        ({"work_folder": None}, "disk", "problem", "no writable folder"),
        ({"home_writable": None}, "home", "warning", "read-only"),
    ],
)
def test_one_thing_wrong(changes, check, level, words):
    diagnoses_here = [finding for finding in findings(changes).findings if finding.check == check]
    assert [finding.level for finding in diagnoses_here] == [level]
    assert words in f"{diagnoses_here[0].observation} {diagnoses_here[0].meaning} {diagnoses_here[0].hint}"


@pytest.mark.parametrize(
    ("sensed", "check", "level", "words"),
    [
        ({"settings": {"governor": "ondemand"}}, "governor", "note", "clock follows the load"),
        ({"settings": {"governor": None}}, "governor", "note", "cannot be read"),
        ({"readings": {"temperature_c": 81.0}}, "temperature", "warning", "81.0"),
        ({"readings": {"temperature_c": None}}, "temperature", "note", "no thermal sensor"),
        ({"readings": {"throttled": 0x50005}}, "throttling", "problem", "now: under-voltage, throttled"),
        ({"readings": {"throttled": 0x50000}}, "throttling", "warning", "since it was switched on: under-voltage, thr"),
        ({"settings": {"power_mode": "15W (2)"}}, "power mode", "ok", "15W"),
        ({"settings": {"clocks": "free"}}, "clocks", "note", "jetson_clocks"),
        ({"readings": {"power_source": None}}, "energy", "note", "null"),
    ],
)
def test_what_the_sensors_say(sensed, check, level, words):
    diagnoses_here = [finding for finding in findings(**sensed).findings if finding.check == check]
    assert diagnoses_here[0].level == level
    assert words in f"{diagnoses_here[0].observation} {diagnoses_here[0].meaning} {diagnoses_here[0].hint}"


@pytest.mark.parametrize(
    ("changes", "check", "words"),
    [
        ({"version": "3.7.3"}, "Python", "3.9 or later"),
        ({"numpy": None}, "numpy", "devices setup"),
        ({"numpy": "broken: _ARRAY_API not found"}, "numpy", "cannot be imported"),
        ({"bits": 32}, "machine", "32-bit"),
        ({"runtimes": {"onnxruntime": None, "ai-edge-litert": None}}, "runtimes", "wheels fit for onnxruntime and"),
        (
            {"runtimes": {"onnxruntime": "broken: GLIBC_2.38 not found", "ai-edge-litert": None}},
            "onnxruntime",
            "GLIBC_2.38",
        ),
    ],
)
def test_something_wrong_with_python(changes, check, words):
    examination = findings(python=PythonFacts(**(vars(PYTHON) | changes)))
    assert not examination.healthy
    diagnosis = next(finding for finding in examination.findings if finding.check == check)
    assert diagnosis.level == "problem"
    assert words in f"{diagnosis.observation} {diagnosis.meaning} {diagnosis.hint}"


def test_no_python_at_all():
    examination = findings(python=None)
    diagnosis = next(finding for finding in examination.findings if finding.check == "Python")
    assert (diagnosis.level, diagnosis.meaning) == ("problem", "sh: python3: not found")


def test_numpy_2_beside_tflite_runtime():
    runtimes = {"onnxruntime": None, "ai-edge-litert": None, "tflite-runtime": "2.14.0"}
    examination = findings(python=PythonFacts(**(vars(PYTHON) | {"runtimes": runtimes})))
    diagnosis = next(finding for finding in examination.findings if finding.check == "numpy")
    assert diagnosis.level == "warning"
    assert "numpy<2" in diagnosis.hint


def _program(board, name: str, text: str) -> None:
    tools = board.folder / "tools"
    tools.mkdir(exist_ok=True)
    (tools / name).write_text(f"#!/bin/sh\n{text}\n")
    (tools / name).chmod(0o755)
    board.environment["PATH"] = f"{tools}:{board.environment['PATH']}"


def test_a_real_board_is_examined_and_left_as_it_was(tmp_path, run):
    async def scenario():
        async with BoardServer(tmp_path) as board:
            before = sorted(tmp_path.rglob("*"))
            transport = board.transport(python=(sys.executable,))
            facts = (await examine(transport)).facts
            await transport.close()
            assert facts.python.version == ".".join(map(str, sys.version_info[:3]))
            import numpy

            assert facts.python.numpy == numpy.__version__
            assert facts.glibc >= (2, 17)
            assert facts.memory_mb > facts.memory_available_mb > 0
            assert facts.work_folder == str(board.tmp)
            assert facts.work_free_mb > 0
            assert abs(facts.clock_offset_s) < 30
            assert sorted(tmp_path.rglob("*")) == before

    run(scenario())


def test_an_old_system_is_seen_and_setup_refuses_it(tmp_path, run):
    """An old C library, as `getconf` of the board reports it."""

    async def scenario():
        async with BoardServer(tmp_path) as board:
            _program(board, "getconf", '[ "$1" = GNU_LIBC_VERSION ] && echo "glibc 2.12" || echo 64')
            transport = board.transport(python=(sys.executable,))
            examination = await examine(transport)
            assert examination.facts.glibc == (2, 12)
            assert next(each for each in examination.findings if each.check == "C library").level == "problem"
            with pytest.raises(MissingDependency, match="no runtime has wheels for the board"):
                await set_up(transport)
            assert not (board.home / ".local").exists()
            await transport.close()

    run(scenario())


def test_raspberry_tools_and_a_sensor_tree_are_read(tmp_path, run):
    async def scenario():
        async with BoardServer(tmp_path / "b") as board:
            _program(board, "vcgencmd", '[ "$1" = get_throttled ] && echo throttled=0x80008')
            tree = tmp_path / "tree"
            zone, freq = tree / "sys/class/thermal/thermal_zone0", tree / "sys/devices/system/cpu/cpu0/cpufreq"
            for folder in (zone, freq, tree / "proc/device-tree"):
                folder.mkdir(parents=True)
            (zone / "temp").write_text("83500\n")
            (freq / "scaling_governor").write_text("ondemand\n")
            (freq / "scaling_cur_freq").write_text("600000\n")
            (tree / "proc/device-tree/model").write_bytes(b"Raspberry Pi 4 Model B Rev 1.4\0")
            board.environment["EAMDEPLOY_SENSOR_ROOT"] = str(tree)
            transport = board.transport(python=(sys.executable,))
            facts = (await examine(transport)).facts
            await transport.close()
            assert facts.model == "Raspberry Pi 4 Model B Rev 1.4"
            assert facts.temperature_c == 83.5
            assert facts.settings["governor"] == "ondemand"
            assert facts.readings["clock_mhz"] == 600
            assert facts.throttled == 0x80008
            assert facts.memory_mb is None

    run(scenario())


def test_a_banner_does_not_confuse_the_probe(tmp_path, run):
    async def scenario():
        async with BoardServer(tmp_path) as board:
            _program(board, "noisy-python", f'echo "Welcome = to my board"; exec {sys.executable} "$@"')
            transport = board.transport(python=("noisy-python",))
            assert (await examine(transport)).facts.python is not None
            await transport.close()

    run(scenario())


def test_setup_says_what_failed(tmp_path, run):
    async def scenario():
        async with BoardServer(tmp_path) as board:
            transport = board.transport(python=(sys.executable,))
            Path(board.home / ".local").write_text("a file where a folder must be")
            with pytest.raises(MissingDependency, match="no virtual environment could be made") as caught:
                await set_up(transport, runtimes=["onnxruntime"], offline=True)
            assert caught.value.exit_code == 7
            nowhere = board.transport(python=("python3-absent",))
            with pytest.raises(MissingDependency, match="there is no Python on the board"):
                await set_up(nowhere)
            await transport.close()
            await nowhere.close()

    run(scenario())


@pytest.mark.parametrize(
    ("values", "python", "words"),
    [
        ({}, {"version": "3.6.9"}, "Python 3.6.9 is older than 3.9"),
        ({}, {"version": "3.8.10"}, "Python 3.8.10 is older than 3.9"),
        ({}, {"bits": 32}, "32-bit"),
        ({"machine": "armv7l"}, {}, "32-bit"),
        ({"libc": "musl libc (aarch64)"}, {}, "no wheel fits"),
        ({"libc": "glibc 2.12"}, {}, "no wheel fits"),
        ({}, {"version": "3.13.1"}, None),
        ({}, {"version": "3.14.0", "pip": False, "venv": False}, None),  # setup needs neither
    ],
)
def test_doctor_and_setup_agree_on_what_fits(values, python, words):
    nothing = {"numpy": None, "runtimes": {"onnxruntime": None, "ai-edge-litert": None}}
    examination = findings(values, PythonFacts(**(vars(PYTHON) | nothing | python)))
    runtimes = next(finding for finding in examination.findings if finding.check == "runtimes")
    if words is None:
        assert "wheels fit for" in runtimes.meaning
        assert "onnxruntime" in _chosen(examination.facts, (), "mypi")
        return
    assert words in runtimes.meaning
    for runtime_choice in ((), ("onnxruntime",)):
        with pytest.raises(MissingDependency, match=words) as caught:
            _chosen(examination.facts, runtime_choice, "mypi")
        assert caught.value.exit_code == 7
