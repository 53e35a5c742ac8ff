"""onnxruntime reports to its maker by default; nothing that this project starts may."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["eamdeploy", "runtimes.registry"])
def test_running_a_model_leaves_no_trace_of_telemetry(tmp_path, module):
    code = f"import {module}, onnxruntime, pathlib; print(sorted(map(str, pathlib.Path.home().rglob('*'))))"
    environment = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "CI")}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
