from __future__ import annotations

import importlib.util
import sys
import types

import pytest

from eamdeploy.base.errors import MissingDependency, UsageError
from runtimes import registry
from runtimes.support import litert_modules


def test_an_unknown_name_gets_the_nearest_and_all_known():
    with pytest.raises(UsageError, match=r"did you mean 'onnxruntime'.*litert.*torch-compile"):
        registry.get_runtime("onxruntime")


@pytest.mark.parametrize(
    ("file", "name"), [("a.onnx", "onnxruntime"), ("b.TFLITE", "litert"), ("c.safetensors", "torch")]
)
def test_each_kind_of_file_has_its_runtime(file, name):
    assert registry.runtime_for(file).name == name


def test_a_file_of_no_known_kind_lists_the_known():
    with pytest.raises(UsageError, match=r"\.mnn, \.onnx, \.param, \.safetensors, \.tflite"):
        registry.runtime_for("a.engine")


def _third_party(monkeypatch, load):
    point = types.SimpleNamespace(name="tnn", load=load)
    monkeypatch.setattr(registry, "entry_points", lambda: types.SimpleNamespace(select=lambda group: [point]))


def test_another_packages_runtime_is_found_by_name_and_by_file(monkeypatch):
    class Tnn:
        name, suffixes = "tnn", (".tnn",)

    _third_party(monkeypatch, lambda: Tnn)
    assert isinstance(registry.get_runtime("tnn"), Tnn)
    assert registry.runtime_for("x.tnn").name == "tnn"
    assert registry.runtime_names()[-1] == "tnn"
    assert [name for name in [*registry.runtime_names(), "elsewhere"] if registry.chooses_arithmetic(name)] == [
        "ncnn",
        "mnn",
    ]


def test_another_packages_broken_runtime_is_reported_and_does_not_hide_ours(monkeypatch):
    def broken():
        raise ImportError("libtnn.so: not found")

    _third_party(monkeypatch, broken)
    with pytest.raises(MissingDependency, match=r"tnn.*libtnn\.so: not found"):
        registry.get_runtime("tnn")
    assert registry.runtime_for("a.onnx").name == "onnxruntime"


def _packages(monkeypatch, **present):
    """Pretend that only these interpreter modules are installed; the value is what importing does."""
    names = {name.partition(".")[0]: name for name, _ in litert_modules.CANDIDATES}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name in present else None)
    for top, module in present.items():
        monkeypatch.setitem(sys.modules, names[top], module)


def test_the_interpreters_are_tried_in_order(monkeypatch):
    _packages(monkeypatch, tensorflow=types.ModuleType("tf"), tflite_runtime=types.ModuleType("rt"))
    monkeypatch.setattr("numpy.__version__", "1.26.4")
    assert litert_modules.find_interpreter().package == "tflite-runtime"
    assert litert_modules.installed() == ["tflite-runtime", "tensorflow"]


def test_tflite_runtime_is_passed_over_under_numpy_2(monkeypatch):
    _packages(monkeypatch, tensorflow=types.ModuleType("tf"), tflite_runtime=types.ModuleType("rt"))
    monkeypatch.setattr("numpy.__version__", "2.4.6")
    assert litert_modules.find_interpreter().package == "tensorflow"
    _packages(monkeypatch, tflite_runtime=types.ModuleType("rt"))
    with pytest.raises(MissingDependency, match=r"built for numpy 1 and this is numpy 2\.4\.6.*'numpy<2'"):
        litert_modules.find_interpreter()


def test_without_any_interpreter_the_extra_is_named(monkeypatch):
    _packages(monkeypatch)
    with pytest.raises(MissingDependency, match=r"eamdeploy\[litert\]"):
        litert_modules.find_interpreter()
