"""Every command, run from a folder full of files with the names of libraries: none of them is executed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from eamdeploy.base import processes
from tests.eamdeploy.base.decoys import decoy_folder, executed

CHECKPOINT = "fashion-mnist-v1x0.25-eam-rcr"
COMMANDS = (
    ("--help",),
    ("models",),
    ("init", "--arch", "mobilenet-v1", "--width", "0.25", "--out", "own.safetensors"),
    ("describe", CHECKPOINT),
    ("export", CHECKPOINT, "--format", "onnx", "--out", "build", "--limit", "20"),
    ("quantize", "ONNX", "--precision", "int8", "--limit", "20", "--out", "small"),
    ("verify", "ONNX", "--against", CHECKPOINT, "--limit", "10"),
    ("evaluate", "ONNX", "--limit", "10"),
    ("predict", "ONNX", "picture.png"),
    ("bench", "ONNX", "--runs", "8"),
    ("estimate", "ONNX", "--device", "pi4"),
    ("devices", "list"),
    ("devices", "show", "pi4"),
    ("devices", "calibrate"),
    ("train", "--data", "images", "--out", "trained", "--epochs", "1"),
    ("import", "own.safetensors", "--out", "imported.safetensors"),
    ("history",),
    ("compare", "latest", "latest"),
    ("gate", "--write-baseline", "base.json"),
    ("report",),
    ("demo", "--help"),
)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["script", "module"])
def test_no_command_runs_what_lies_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    # python -m looks for the package itself, and for what this needs to start, where it stands: that is its contract
    without = ("eamdeploy", "typing") if how == "module" else ()
    folder = decoy_folder(tmp_path / "here", monkeypatch, without=without)
    environment = {**os.environ, "EAMDEPLOY_STORE": str(tmp_path / "runs.db"), "XDG_CACHE_HOME": str(tmp_path)}
    environment |= {"PYTHONPATH": str(Path(processes.__file__).parents[2])} if how == "module" else {}
    Image.new("L", (28, 28)).save(folder / "picture.png")
    start = processes.eamdeploy_command() if how == "script" else [sys.executable, "-m", "eamdeploy"]
    codes = {}
    for words in COMMANDS:
        artifact = next((str(path) for path in folder.glob("build/*.onnx")), "none.onnx")
        command = [*start, *(artifact if word == "ONNX" else word for word in words)]
        done = processes.run(command, env=environment, timeout_s=300)
        codes[words[0]] = done.returncode
        assert executed(folder) == [], words
        assert done.returncode not in (1, 99), (words, done.stderr[-2000:])
    assert [codes[name] for name in ("export", "verify", "evaluate", "predict", "history", "report")] == [0] * 6
    assert codes["bench"] in (0, 5)  # a busy machine's times are measured and called invalid
