"""The operator behind an output is found in both formats, through those that only move values."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import helper

from runtimes.readers.final_operator import final_operator
from tests.eamdeploy.inference.classifiers import classifier
from tests.runtimes import tiny_models


@pytest.mark.parametrize(
    ("tail", "kind"),
    [("logits", "Gemm"), ("probabilities", "Softmax"), ("sigmoids", "Sigmoid"), ("ids", "ArgMax"), ("maps", "Gemm")],
)
def test_onnx(tmp_path: Path, tail: str, kind: str) -> None:
    path = classifier(tmp_path / "net.onnx", tail)
    output = "logits" if tail == "logits" else "out"
    assert final_operator(path, output) == kind
    assert final_operator(path, "nowhere") is None
    model = onnx.load(str(path))
    model.graph.node.append(helper.make_node("Identity", [output], ["copy"]))
    model.graph.node.append(helper.make_node("Reshape", ["copy", "map_shape"], ["moved"]))
    onnx.save(model, str(path))
    assert final_operator(path, "moved") == kind


def test_what_is_no_artifact_says_nothing(tmp_path: Path) -> None:
    for name in ("net.onnx", "net.tflite", "net.bin", "net.param"):
        (tmp_path / name).write_bytes(b"\xff\xffnot a model")
        assert final_operator(tmp_path / name, "out") is None


def test_tflite(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
    path = tmp_path / "tiny.tflite"
    tiny_models.write_tflite(path)
    from runtimes.protocol import RuntimeOptions
    from runtimes.registry import runtime_for

    session = runtime_for(path).load(path, RuntimeOptions())
    assert final_operator(path, session.outputs[0].name) in ("Gemm", "Add", "MatMul")
    session.close()
