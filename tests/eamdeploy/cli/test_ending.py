"""How a command ends: by Ctrl-C, by SIGTERM, by a file that crashes what reads it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eamdeploy.base.processes import eamdeploy_command, python_code
from tests.runtimes import tiny_models

_WAIT_S = 60.0


def _started(tmp_path: Path, code: str) -> subprocess.Popen[bytes]:
    """A command whose work is ``code``; it writes the file ``begun`` when it gets there."""
    begin = "import pathlib, sys, tempfile, threading, time; from eamdeploy.base.files import atomic_path\n"
    work = "\n    ".join(f"{begin}{code}".splitlines())
    body = f"import eamdeploy.cli.process as p\ndef work(words):\n    {work}\np.main = work\np.start()"
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(
        python_code(body), cwd=tmp_path, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    )
    _until(lambda: (tmp_path / "begun").exists() or process.poll() is not None)
    return process


def _until(condition) -> None:
    end = time.monotonic() + _WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


FOREVER = {
    "in Python": "time.sleep(600)",
    "in another thread": "t = threading.Thread(target=time.sleep, args=(600,)); t.start(); t.join()",
    "deaf": """
while True:
    try:
        time.sleep(600)
    except BaseException:
        pass
""",
    "in another process": "from eamdeploy.base.processes import run, python_code; run(python_code('import time; time.sleep(600)'))",
    "in a thread of asyncio": """
import asyncio
from eamdeploy.base.processes import run, python_code
async def job():
    await asyncio.to_thread(run, python_code('import time; time.sleep(600)'))
asyncio.run(job())
""",
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("how", FOREVER)
def test_a_signal_ends_it_and_nothing_is_left(tmp_path: Path, how: str, number: signal.Signals) -> None:
    lines = "\n        ".join(FOREVER[how].strip("\n").splitlines())
    code = f"""
with atomic_path("result.json") as path, tempfile.TemporaryDirectory():
    path.write_text("half")
    pathlib.Path("begun").touch()
    if True:
        {lines}
"""
    process = _started(tmp_path, code)
    process.send_signal(number)
    _, error_text = process.communicate(timeout=_WAIT_S)
    assert process.returncode == 128 + number, error_text
    assert b"Traceback" not in error_text or how != "deaf"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["begun", "tmp"]
    assert list((tmp_path / "tmp").iterdir()) == []
    _until(lambda: not _with_environment(f"TMPDIR={tmp_path / 'tmp'}"))


def _with_environment(setting: str) -> list[str]:
    processes = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if setting.encode() in path.read_bytes().split(b"\0"):
                processes.append(path.parent.name)
        except OSError:
            continue
    return processes


def _children(process: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


@pytest.mark.parametrize(
    ("number", "status", "message"),
    [
        (signal.SIGSEGV, 2, b"quantizing crashes on this file (net.onnx): the process ended by SIGSEGV"),
        (signal.SIGABRT, 2, b"(net.onnx): the process ended by SIGABRT"),
        (signal.SIGKILL, 137, b""),
    ],
)
def test_a_file_that_crashes_the_quantizer_ends_with_its_name(
    tmp_path: Path, number: signal.Signals, status: int, message: bytes
) -> None:
    tiny_models.write_onnx(tmp_path / "net.onnx", metadata=tiny_models.metadata())
    command = eamdeploy_command("quantize", "net.onnx", "--precision", "int8", "--out", "out")
    process = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, env={**os.environ, "PYTHONFAULTHANDLER": ""}
    )
    _until(lambda: _children(process.pid))
    os.kill(_children(process.pid)[0], number)
    _, errors = process.communicate(timeout=_WAIT_S)
    assert process.returncode == status, errors
    assert message in errors


def test_ctrl_c_reaches_the_quantizer(tmp_path: Path) -> None:
    tiny_models.write_onnx(tmp_path / "net.onnx", metadata=tiny_models.metadata())
    command = eamdeploy_command("quantize", "net.onnx", "--precision", "int8", "--out", "out")
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE)
    _until(lambda: _children(process.pid))
    child = _children(process.pid)[0]
    _until(lambda: b"quantize" in Path(f"/proc/{child}/cmdline").read_bytes())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=_WAIT_S)
    assert process.returncode == 130
    assert not Path(f"/proc/{child}").exists()


def test_an_error_is_said_once_and_its_exit_code_handed_on(tmp_path: Path) -> None:
    done = subprocess.run(
        [*eamdeploy_command("quantize", "none.onnx", "--precision", "int8")],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count(b"error: ") == 1
    assert sys.executable.encode() not in done.stderr
