"""A named pipe in the place of a file is refused at once: opening it would wait for ever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.eamdeploy.cli.conftest import Call
from tests.runtimes import tiny_models

NETWORK = "fashion-mnist-v1x0.25-eam-rcr"
COMMANDS = (
    ("describe", "PIPE"),
    ("export", "PIPE", "--format", "onnx", "--out", "out"),
    ("import", "PIPE", "--out", "out.safetensors"),
    ("quantize", "PIPE"),
    ("verify", "PIPE", "--against", NETWORK),
    ("audit", "PIPE", "--against", NETWORK),
    ("bench", "PIPE"),
    ("estimate", "PIPE", "--device", "pi4"),
    ("evaluate", "PIPE"),
    ("evaluate", "net.onnx", "--data", "PIPE"),
    ("predict", "PIPE", "PIPE"),
    ("predict", "net.onnx", "PIPE"),
    ("predict", "net.onnx", "PIPE", "--preprocessing", "PIPE"),
    ("predict", "net.onnx", "PIPE", "--labels", "PIPE"),
    ("attach", "net.onnx", "--preprocessing", "PIPE"),
    ("train", "--data", "PIPE", "--out", "out"),
    ("history", "import", "PIPE"),
    ("compare", "PIPE", "PIPE"),
    ("gate", "--baseline", "PIPE"),
    ("report", "--attention", "PIPE"),
    ("--config", "PIPE", "models"),
)


@pytest.mark.parametrize("name", ["pipe", "pipe.onnx", "pipe.json", "pipe.safetensors", "pipe.png"])
def test_no_command_waits_for_a_pipe(name: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EAMDEPLOY_STORE", str(tmp_path / "runs.db"))
    tiny_models.write_onnx(tmp_path / "net.onnx", metadata=tiny_models.metadata())
    os.mkfifo(tmp_path / name)
    for words in COMMANDS:
        code, out, err = call(*(name if word == "PIPE" else word for word in words))
        assert (code, out) == (2, ""), words
        assert err.startswith(("error: ", "Usage: ")), words
