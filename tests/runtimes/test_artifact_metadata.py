from __future__ import annotations

import subprocess
import sys

import pytest

from eamdeploy.base.errors import UsageError
from runtimes.readers.metadata import read_metadata
from tests.runtimes import tiny_models


def test_onnx_metadata_is_found_behind_the_graph(tmp_path):
    tiny_models.write_onnx(
        tmp_path / "m.onnx", metadata=tiny_models.metadata(plan=[{"layer": "a", "lowering": "taps"}])
    )
    metadata = read_metadata(tmp_path / "m.onnx")
    assert metadata.classes == tiny_models.CLASSES
    assert metadata.preprocessing["size"] == 8
    assert metadata.plan == ({"layer": "a", "lowering": "taps"},)
    assert not metadata.foreign


def test_tflite_metadata_survives_as_an_appended_file(tflite):
    metadata = read_metadata(tflite[0])
    assert (metadata.format, metadata.input_layout, metadata.name) == ("tflite", "NHWC", "tiny")


def test_a_foreign_artifact_has_only_its_format(tmp_path):
    tiny_models.write_onnx(tmp_path / "m.onnx")
    metadata = read_metadata(tmp_path / "m.onnx")
    assert (metadata.format, metadata.foreign, metadata.classes) == ("onnx", True, ())


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"\x72\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x08"])
def test_bytes_that_are_no_protobuf_are_foreign(tmp_path, content):
    (tmp_path / "m.onnx").write_bytes(content)
    assert read_metadata(tmp_path / "m.onnx").foreign


def test_damaged_metadata_is_named(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(b"x")
    import zipfile

    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("eamdeploy.json", "{")
    with pytest.raises(UsageError, match=r"metadata is damaged"):
        read_metadata(path)


def test_reading_needs_neither_torch_nor_onnx(tmp_path):
    tiny_models.write_onnx(tmp_path / "m.onnx", metadata=tiny_models.metadata())
    code = (
        "import sys; from runtimes.readers.metadata import read_metadata; from runtimes.registry import get_runtime;"
        f"read_metadata({str(tmp_path / 'm.onnx')!r}); get_runtime('onnxruntime'); get_runtime('litert');"
        "print([m for m in ('torch', 'onnx', 'onnxruntime', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
