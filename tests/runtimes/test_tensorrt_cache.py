"""Keys and options of TensorRT's engine cache; no engine is built here."""

from __future__ import annotations

import pytest

from runtimes.support import tensorrt_cache


@pytest.mark.parametrize(
    ("number", "version"), [(8502, "8.5.2"), (8401, "8.4.1"), (100300, "10.3.0"), (101300, "10.13.0")]
)
def test_versions_as_the_library_numbers_them(number, version):
    assert tensorrt_cache.version_of(number) == version


def test_engines_of_another_version_gpu_or_file_are_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    artifact = tmp_path / "net.onnx"
    folders = set()
    for version, gpu, content in [
        ("8.5.2", "Orin-sm87", b"a"),
        ("10.3.0", "Orin-sm87", b"a"),
        ("8.5.2", "Xavier-sm72", b"a"),
    ]:
        monkeypatch.setattr(tensorrt_cache, "tensorrt_version", lambda version=version: version)
        monkeypatch.setattr(tensorrt_cache, "gpu_name", lambda gpu=gpu: gpu)
        artifact.write_bytes(content)
        folders.add(tensorrt_cache.engine_folder(artifact))
    artifact.write_bytes(b"b")
    folders.add(tensorrt_cache.engine_folder(artifact))
    assert len(folders) == 4
    assert all(folder.is_relative_to(tmp_path / "cache" / "eamdeploy" / "engines") for folder in folders)
    assert tensorrt_cache.provider_options(artifact)["trt_engine_cache_enable"]
    folder = folders.pop()
    assert not tensorrt_cache.has_engine(folder)
    folder.mkdir(parents=True)
    (folder / "TensorrtExecutionProvider_1.engine").write_bytes(b"")
    assert tensorrt_cache.has_engine(folder)


def test_a_machine_without_a_gpu_has_a_key_too():
    assert tensorrt_cache.key("unknown", "NVIDIA GeForce (TM)") == "tensorrt-unknown-nvidia-geforce-tm"
