"""onnxsim at arm's length: what hangs, crashes or computes something else is dropped, and the file stays as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import export.onnx.simplify
from export.exporter.request import ExportRequest
from export.onnx.simplify import simplify

# generous: a slow machine is not what is tested
REQUEST = ExportRequest((3, 4, 4), simplify_timeout_s=400)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Scores out of a sum over positions and two identities that can go."""
    nodes = [
        helper.make_node("Identity", ["input"], ["a"]),
        helper.make_node("Identity", ["a"], ["b"]),
        helper.make_node("ReduceMean", ["b", "axes"], ["sums"], keepdims=0),
        helper.make_node("Mul", ["sums", "scale"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 4, 4])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 3])],
        [
            numpy_helper.from_array(np.array([2, 3], np.int64), "axes"),
            numpy_helper.from_array(np.array([2.0], np.float32), "scale"),
        ],
    )
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), str(path))
    return path


def test_what_helps_is_kept(file: Path) -> None:
    assert simplify(file, REQUEST, required=["scores"]).startswith("onnxsim: kept, 4 nodes became 2")
    assert len(onnx.load(str(file)).graph.node) == 2


def test_a_named_tensor_that_would_go_keeps_the_file(file: Path) -> None:
    before = file.read_bytes()
    assert "removed b" in simplify(file, REQUEST, required=["b", "scores"])
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("worker", "word"),
    [
        ("import time; time.sleep(60)", "took over 2 s"),
        ("import os; os.kill(os.getpid(), 11)", "signal 11"),
        ("import sys; sys.exit(3)", "exit code 3"),
        (
            "import sys, onnx; m = onnx.load(sys.argv[1]); m.graph.initializer[1].CopyFrom(onnx.numpy_helper.from_array("
            "__import__('numpy').array([2.1], 'float32'), 'scale')); del m.graph.node[0]; m.graph.node[0].input[0] = 'input';"
            "onnx.save(m, sys.argv[2])",
            "scores differ",
        ),
        ("import sys, onnx; m = onnx.load(sys.argv[1]); del m.graph.node[0]; onnx.save(m, sys.argv[2])", "refuses"),
    ],
    ids=["hangs", "crashes", "gives-up", "wrong", "invalid"],
)
def test_what_does_not_help_is_dropped(file: Path, monkeypatch: pytest.MonkeyPatch, worker: str, word: str) -> None:
    before = file.read_bytes()
    monkeypatch.setattr(export.onnx.simplify, "_WORKER", worker)
    limit = 2.0 if "sleep" in worker else 400.0
    remark = simplify(file, ExportRequest((3, 4, 4), simplify_timeout_s=limit), required=["scores"])
    assert "dropped" in remark
    assert word in remark
    assert file.read_bytes() == before
