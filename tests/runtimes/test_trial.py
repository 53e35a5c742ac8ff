"""A file that crashes the runtime ends another process, and is named."""

from __future__ import annotations

import os
import signal
import struct
from pathlib import Path

import numpy as np
import pytest

from eamdeploy.base.errors import UsageError
from eamdeploy.inference.predict import predict
from runtimes.protocol import RuntimeOptions
from runtimes.registry import get_runtime
from runtimes.trial import session as trial
from runtimes.trial.session import load_untrusted, try_artifact
from tests.runtimes import tiny_models

# 32-bit words of the tiny network's .tflite, found by trying every word: the runtime reads what is not there, or loops
WORDS = ((400, 0xFFFFFFFF), (556, 0xFFFFFFFF), (728, 0x7FFFFFFF))


def _broken(folder: Path, at: int, value: int) -> Path:
    path = folder / f"broken-{at}.tflite"
    tiny_models.write_tflite(path, metadata=tiny_models.metadata(format="tflite", input_layout="NHWC"))
    content = bytearray(path.read_bytes())
    content[at : at + 4] = struct.pack("<I", value)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("at", "value"), WORDS)
def test_a_file_that_would_take_us_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, value: int) -> None:
    """What happens to be in memory decides whether it crashes or is refused; in both cases this process goes on."""
    monkeypatch.setattr(trial, "CPU_LIMIT_S", 1.0)
    path = _broken(tmp_path, at, value)
    with pytest.raises(UsageError) as refused:
        list(predict(path, [tmp_path / "picture.png"]))
    assert str(path) in str(refused.value)


def test_a_crash_in_mid_use_names_the_file_and_the_next_file_is_served(tmp_path: Path) -> None:
    path, pictures = tmp_path / "good.tflite", np.zeros((2, 3, 8, 8), np.float32)
    tiny_models.write_tflite(path)
    session = load_untrusted(get_runtime("litert"), path, RuntimeOptions())
    assert session.run(pictures)[0].shape == (2, 3)
    os.kill(trial._PROCESS._process.pid, signal.SIGSEGV)
    with pytest.raises(UsageError, match=r"litert crashes on this file .*good.tflite.*: SIGSEGV") as crashed:
        session.run(pictures)
    assert crashed.value.exit_code == 2
    session.close()
    again = load_untrusted(get_runtime("litert"), path, RuntimeOptions())
    np.testing.assert_array_equal(
        again.run(pictures)[0], get_runtime("litert").load(path, RuntimeOptions()).run(pictures)[0]
    )
    again.close()


def test_good_files_are_got_through(tmp_path: Path) -> None:
    tiny_models.write_tflite(tmp_path / "good.tflite")
    tiny_models.write_onnx(tmp_path / "good.onnx")
    try_artifact("litert", tmp_path / "good.tflite")
    try_artifact("onnxruntime", tmp_path / "good.onnx")
    (tmp_path / "text.onnx").write_text("not a model")
    try_artifact("onnxruntime", tmp_path / "text.onnx")  # fails in words, which is for the loader to say
