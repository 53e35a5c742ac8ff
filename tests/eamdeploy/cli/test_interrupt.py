"""Ctrl-C in the middle of a measurement: what was kept, how to go on, and the documented exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from devices.setup.models import smallest_model


@pytest.mark.slow
def test_an_interrupted_bench_says_what_was_kept_and_how_to_go_on(tmp_path: Path) -> None:
    _, files = smallest_model("onnxruntime")
    (tmp_path / "smallest.onnx").write_bytes(files["smallest.onnx"])
    command = [sys.executable, "-m", "eamdeploy", "bench", "smallest.onnx", "--max-seconds", "300", "--within", "0.1"]
    environment = {**os.environ, "EAMDEPLOY_STORE": str(tmp_path / "runs.db")}
    output_file = tmp_path / "said"
    with output_file.open("w") as stderr:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=stderr)
    try:
        while "timing goes on" not in output_file.read_text() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    finally:
        process.kill()
    lines = output_file.read_text().splitlines()
    assert lines[-1] == "interrupted"
    assert lines[-2].endswith("run the command again to measure the rest")
