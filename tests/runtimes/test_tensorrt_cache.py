"""Keys and options of TensorRT's engine cache; no engine is built here."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest

from runtimes.ort import PROVIDERS, OnnxSession
from runtimes.protocol import RuntimeOptions
from runtimes.readers.artifact_files import artifact_sha256, external_files
from runtimes.support import tensorrt_cache


@pytest.mark.parametrize(
    ("number", "version"), [(8502, "8.5.2"), (8401, "8.4.1"), (100300, "10.3.0"), (101300, "10.13.0")]
)
def test_versions_as_the_library_numbers_them(number, version):
    assert tensorrt_cache.version_of(number) == version


def external(folder, weights):
    """An .onnx file that keeps its one tensor in a file beside it."""
    tensor = onnx.numpy_helper.from_array(np.full(64, weights, np.float32), "w")
    graph = onnx.helper.make_graph([], "g", [], [], [tensor])
    folder.mkdir()
    onnx.save(
        onnx.helper.make_model(graph),
        str(folder / "net.onnx"),
        save_as_external_data=True,
        location="net.data",
        size_threshold=0,
    )
    return folder / "net.onnx"


def keep(artifact):
    return tensorrt_cache.kept_artifact(artifact, external_files(artifact), artifact_sha256(artifact))


def test_engines_of_another_version_or_gpu_are_elsewhere_beside_the_artifact(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    artifact = tmp_path / "job" / "net.onnx"
    artifact.parent.mkdir()
    artifact.write_bytes(b"a")
    kept_file = keep(artifact)
    folders = set()
    for version, gpu in [("8.5.2", "Orin-sm87"), ("10.3.0", "Orin-sm87"), ("8.5.2", "Xavier-sm72")]:
        monkeypatch.setattr(tensorrt_cache, "tensorrt_version", lambda version=version: version)
        monkeypatch.setattr(tensorrt_cache, "gpu_name", lambda gpu=gpu: gpu)
        folders.add(tensorrt_cache.engine_folder(kept_file))
    assert len(folders) == 3
    assert {folder.parent for folder in folders} == {kept_file.parent}
    folder = folders.pop()
    assert tensorrt_cache.provider_options(folder)["trt_engine_cache_path"] == str(folder)
    assert not tensorrt_cache.has_engine(folder)
    folder.mkdir(parents=True)
    (folder / "TensorrtExecutionProvider_1.engine").write_bytes(b"")
    assert tensorrt_cache.has_engine(folder)


def test_the_kept_artifact_outlives_the_job_and_is_another_for_other_weights(tmp_path, monkeypatch):
    """The weights of an .onnx file may be in a file beside it: an engine of other weights must not be taken."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    job, other = external(tmp_path / "job", 1.0), external(tmp_path / "other", 2.0)
    assert job.read_bytes() == other.read_bytes()
    kept_file = keep(job)
    assert kept_file != keep(other)
    content = (job.parent / "net.data").read_bytes()
    with (job.parent / "net.data").open("r+b") as file:
        file.write(b"overwritten")
    shutil.rmtree(job.parent)
    assert (kept_file.parent / "net.data").read_bytes() == content
    assert sorted(path.name for path in kept_file.parent.iterdir()) == ["net.data", "net.onnx"]


class _FakeProvider:
    """Stands in for onnxruntime with TensorRT: it notes what it is asked for and writes an engine where it is told."""

    def __init__(self):
        self.requests = []

    def start(self, path, options, providers):
        del options
        (name, settings), *_ = providers
        folder = Path(settings["trt_engine_cache_path"])
        self.requests.append((Path(path), name, any(folder.glob("*.engine"))))
        (folder / "made.engine").write_bytes(b"engine")
        return self


def test_an_engine_is_built_once_and_its_time_is_told_apart(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = external(tmp_path / "job", 1.0)
    fake = _FakeProvider()
    module = SimpleNamespace(InferenceSession=lambda path, options, providers: fake.start(path, options, providers))
    built = []
    for _ in range(2):
        session = OnnxSession.__new__(OnnxSession)
        session._path, session.engine_build_ms = path, None
        monkeypatch.setattr(session, "_session_options", lambda *_: None, raising=False)
        session._start(module, RuntimeOptions(provider="tensorrt"), PROVIDERS["tensorrt"])
        built.append(session.engine_build_ms is not None)
    assert built == [True, False]
    assert [engine_exists for _, _, engine_exists in fake.requests] == [False, True, True]
    kept_file = keep(path)
    assert {model_path for model_path, _, _ in fake.requests} == {kept_file}
    assert (tensorrt_cache.engine_folder(kept_file) / "made.engine").is_file()


def test_a_machine_without_a_gpu_has_a_key_too():
    assert tensorrt_cache.key("unknown", "NVIDIA GeForce (TM)") == "tensorrt-unknown-nvidia-geforce-tm"
