"""A file that crashes the runtime ends another process, and is named."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from eamdeploy.base.errors import UsageError
from eamdeploy.inference.predict import predict
from runtimes import trial
from runtimes.trial import try_artifact
from tests.runtimes import tiny_models

# two 32-bit words of the tiny network's .tflite, found by trying every word, and what the runtime does
WORDS = ((400, 0xFFFFFFFF, "SIGSEGV"), (728, 0x7FFFFFFF, "does not get through"))


def _broken(folder: Path, at: int, value: int) -> Path:
    path = folder / f"broken-{at}.tflite"
    tiny_models.write_tflite(path, metadata=tiny_models.metadata(format="tflite", input_layout="NHWC"))
    content = bytearray(path.read_bytes())
    content[at : at + 4] = struct.pack("<I", value)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("at", "value", "words"), WORDS)
def test_a_file_that_would_take_us_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, value: int, words: str
) -> None:
    monkeypatch.setattr(trial, "CPU_LIMIT_S", 1.0)
    path = _broken(tmp_path, at, value)
    with pytest.raises(UsageError, match=words) as refused:
        try_artifact("litert", path)
    assert str(path) in str(refused.value)


def test_predict_survives_it(tmp_path: Path) -> None:
    path = _broken(tmp_path, 400, 0xFFFFFFFF)
    with pytest.raises(UsageError, match="litert crashes on this file"):
        list(predict(path, [tmp_path / "picture.png"]))


def test_good_files_are_got_through(tmp_path: Path) -> None:
    tiny_models.write_tflite(tmp_path / "good.tflite")
    tiny_models.write_onnx(tmp_path / "good.onnx")
    try_artifact("litert", tmp_path / "good.tflite")
    try_artifact("onnxruntime", tmp_path / "good.onnx")
    (tmp_path / "text.onnx").write_text("not a model")
    try_artifact("onnxruntime", tmp_path / "text.onnx")  # fails in words, which is for the loader to say
