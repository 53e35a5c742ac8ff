from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """Six pointwise and depthwise convolutions: a network of no published family."""
    nodes, weights, at, channels = [], [], "x", 16
    for i in range(6):
        depthwise = i % 2 == 1
        out = channels if depthwise else channels * 2
        shape = (out, 1, 3, 3) if depthwise else (out, channels, 1, 1)
        weights.append(numpy_helper.from_array(np.zeros(shape, np.float32), f"w{i}"))
        group = channels if depthwise else 1
        nodes.append(
            helper.make_node(
                "Conv", [at, f"w{i}"], [f"y{i}"], name=f"layer{i}/Conv", group=group, pads=[int(depthwise)] * 4
            )
        )
        at, channels = f"y{i}", out
    graph = helper.make_graph(
        nodes,
        "stack",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 16, 56, 56])],
        [helper.make_tensor_value_info(at, TensorProto.FLOAT, [1, channels, 56, 56])],
        weights,
    )
    path = tmp_path / "stack.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(helper.make_model(graph)), path)
    return path


def test_json_is_one_document_with_the_promised_keys(artifact: Path, call) -> None:
    code, out, _ = call("estimate", str(artifact), "--device", "pi4", "--runtime", "litert", "--json")
    assert code == 0
    (e,) = json.loads(out)["estimates"]
    assert {"device", "runtime", "precision", "threads", "p50_ms", "interval90_ms", "calibration"} <= set(e)
    assert e["interval90_ms"][0] < e["p50_ms"] < e["interval90_ms"][1]
    assert e["provenance"] == "estimated"
    assert [layer["layer"] for layer in e["layers"]] == [f"layer{i}" for i in range(6)]


def test_all_devices_has_a_line_each(artifact: Path, call) -> None:
    code, out, _ = call("estimate", str(artifact), "--all-devices", "--runtime", "litert", "--json")
    assert code == 0
    estimates = json.loads(out)["estimates"]
    assert len(estimates) == len({e["device"] for e in estimates}) >= 10


def test_the_table_never_passes_for_a_measurement(artifact: Path, call) -> None:
    _, out, _ = call("estimate", str(artifact), "--device", "pi4", "--runtime", "litert", "--layers")
    assert "~" in out
    assert "not measured" in out
    assert "layer3" in out


def test_no_calibration_ends_with_seven_and_no_number(artifact: Path, call) -> None:
    code, out, err = call("estimate", str(artifact), "--device", "host", "--json")
    assert code == 7
    assert json.loads(out)["estimates"][0]["p50_ms"] is None
    assert "calibrate" in err


@pytest.mark.parametrize("more", ["", "--device pi4 --all-devices", "--device pi44", "--device pi4 --runtime no"])
def test_flags_that_make_no_sense_are_usage_errors(artifact: Path, call, more: str) -> None:
    code, out, err = call("estimate", str(artifact), *more.split())
    assert code == 2
    assert out == ""
    assert err.strip()


def test_a_file_that_is_none(tmp_path: Path, call) -> None:
    code, _, err = call("estimate", str(tmp_path / "none.onnx"), "--device", "pi4")
    assert code == 2
    assert "none.onnx" in err.replace("\n", "")


def test_compare_shows_a_ratio_and_no_latency(artifact: Path, call) -> None:
    code, out, _ = call("estimate", str(artifact), "--compare", str(artifact), "--device", "pi4", "--json")
    assert code == 0
    (ratio,) = json.loads(out)["ratios"]
    assert ratio["ratio"] == 1
    assert ratio["interval90"][0] < 1 < ratio["interval90"][1]
    code, out, _ = call("estimate", str(artifact), "--compare", str(artifact), "--device", "pi4")
    assert "not measured" in out
    assert "~1.00" in out
