from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from devices.latency.estimate.estimate import estimate, estimate_all, estimate_features
from devices.latency.estimate.predictors import by_operators
from devices.latency.graph.extract import extract_features
from devices.latency.model.calibration import read_calibration, shipped, write_calibration
from eamdeploy.base.errors import UsageError


@pytest.fixture(scope="module")
def static(export_network) -> Path:
    return export_network(conv="static", input_px=128, width=0.5, classes=1001)


def test_an_estimate_has_an_interval_a_source_and_a_breakdown(static: Path) -> None:
    e = estimate(static, "pi4", runtime="litert")
    low, high = e.interval90_ms
    assert 0 < low < e.p50_ms < high
    assert e.calibration in {c.name for c in shipped()}
    assert "Raspberry Pi 4B" in e.calibration_title
    assert e.notes == ()
    assert e.method == "operators"
    assert sum(e.parts_ms.values()) == pytest.approx(e.p50_ms, rel=1e-3)
    assert sum(layer.ms for layer in e.layers) == pytest.approx(e.p50_ms, rel=1e-3)
    assert e.provenance.kind == "estimated"


def test_a_measured_network_is_estimated_near_its_measurement(export_network) -> None:
    path = export_network(conv="static", arch="mobilenet_v1", width=1.0, input_px=192, classes=1001)
    e = estimate(path, "pi4", runtime="litert")
    assert e.interval90_ms[0] <= 54.0 <= e.interval90_ms[1]  # measured twice: 51.6 and 56.4 ms


@pytest.mark.slow
def test_dynamic_layers_cost_time_and_certainty(export_network) -> None:
    # of a measured size: a static network of 32 pixels is outside what was measured and widened for that
    paths = [export_network(conv=c, input_px=128) for c in ("static", "eam")]
    static, dynamic = (estimate(path, "pi4", runtime="litert") for path in paths)
    assert dynamic.method == "instructions"
    assert dynamic.parts_ms["aggregation"] > 0
    assert dynamic.parts_ms["attention"] > 0
    assert static.parts_ms["aggregation"] == static.parts_ms["attention"] == 0
    width = [e.interval90_ms[1] / e.p50_ms for e in (static, dynamic)]
    assert width[1] > width[0]
    assert any("dynamic" in note for note in dynamic.notes)


@pytest.mark.slow
@pytest.mark.parametrize("device", ["pi4", "pi5"])
@pytest.mark.parametrize("runtime", ["litert", "onnxruntime"])
def test_a_small_dynamic_network_is_known_to_a_factor_of_two(export_network, runtime: str, device: str) -> None:
    e = estimate(export_network(conv="eam", input_px=32), device, runtime=runtime)
    assert e.threads == 1
    assert e.interval90_ms[1] / e.interval90_ms[0] <= 2


def test_of_equally_certain_answers_the_one_from_which_least_is_carried_over_is_given(export_network) -> None:
    # an interval as wide, from a runtime with more networks, would be that of other kernels
    for device in ("pi4", "pi5"):
        assert "TFLite" in estimate(export_network(conv="eam", input_px=32), device, runtime="litert").calibration_title


def test_a_family_that_was_not_measured_never_narrows_the_interval_and_is_named(static: Path) -> None:
    features = extract_features(static)
    (pi4,) = [c for c in shipped() if c.name == "raspberry-pi-4b-tflite-2.7.1-cpu-fp32"]
    # like no measured network in its weights
    records = tuple(dataclasses.replace(r, weights=3 * r.weights) for r in features.records)
    same_family, foreign = (
        by_operators(dataclasses.replace(features, family=family, records=records), pi4, ())
        for family in ("mobilenet_v1", "convnext")
    )
    assert foreign.milliseconds == pytest.approx(same_family.milliseconds)
    assert foreign.half_width >= same_family.half_width
    assert any("convnext" in note for note in foreign.notes)


def test_a_file_that_names_no_family_is_known_by_its_size(export_network) -> None:
    features = extract_features(export_network(conv="static", input_px=192, width=0.5, classes=1001))
    named = estimate_features(features, "pi4", runtime="litert")
    nameless = estimate_features(dataclasses.replace(features, family=""), "pi4", runtime="litert")
    assert nameless.interval90_ms == named.interval90_ms


def test_another_runtime_or_board_is_transferred_in_words(static: Path) -> None:
    measured_estimate = estimate(static, "pi4", runtime="litert")
    other = estimate(static, "pi4", runtime="pytorch")
    assert any(n.startswith("transferred from") for n in other.notes)
    assert other.interval90_ms[1] / other.p50_ms > measured_estimate.interval90_ms[1] / measured_estimate.p50_ms
    board = estimate(static, "pi-zero2w", runtime="litert")
    assert any(n.startswith("transferred from Raspberry Pi") for n in board.notes)


def test_no_number_where_no_calibration_is_close(static: Path) -> None:
    e = estimate(static, "host")
    assert e.p50_ms is None
    assert e.interval90_ms is None
    assert e.notes
    assert e.to_dict()["provenance"] is None


def test_threads_are_those_asked_for(static: Path) -> None:
    first, two = (estimate(static, "pi5", runtime="litert", threads=n) for n in (1, 2))
    assert (first.threads, two.threads) == (1, 2)
    assert first.p50_ms > two.p50_ms
    stated = [c for c in shipped() if c.conditions.threads == "stated" and {1, 2} <= set(c.speedup.measured)]
    assert stated
    assert all(c.speedup.log_change(1) == 0 > c.speedup.log_change(2) for c in stated)


def test_threads_that_nobody_stated_cost_certainty(static: Path) -> None:
    (unstated,) = [c for c in shipped() if c.name == "raspberry-pi-4b-tflite-2.7.1-cpu-int8"]
    first, four = (estimate(static, "pi4", "litert", "int8", threads=n, calibrations=[unstated]) for n in (1, 4))
    assert first.p50_ms > four.p50_ms
    assert first.interval90_ms[1] / first.p50_ms > four.interval90_ms[1] / four.p50_ms
    assert any("threads" in n for n in first.notes)


def test_a_tiny_network_is_given_one_thread(export_network) -> None:
    assert estimate(export_network(conv="eam", input_px=32), "pi4", runtime="litert").threads == 1


def test_every_profile_gets_a_line(static: Path) -> None:
    estimates = {e.device: e for e in estimate_all(static, runtime="litert")}
    assert {"pi4", "pi5", "jetson-nano", "jetson-agx-orin"} <= set(estimates)
    assert "host" not in estimates
    for e in estimates.values():
        assert (e.p50_ms is None) == (e.interval90_ms is None)
        assert e.p50_ms is not None or e.notes


def test_int8_has_its_own_calibration(static: Path) -> None:
    fp32, int8 = (estimate(static, "pi4", runtime="litert", precision=p) for p in ("fp32", "int8"))
    assert int8.p50_ms < fp32.p50_ms
    assert "int8" in int8.calibration_title


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("runtime", ["litert", "onnxruntime"])
def test_at_least_eight_of_the_ten_boards_have_an_answer(static: Path, runtime: str, precision: str) -> None:
    estimates = estimate_all(static, runtime=runtime, precision=precision)
    assert len(estimates) == 10
    assert sum(e.p50_ms is not None for e in estimates) >= 8
    for e in estimates:
        assert e.p50_ms is None or e.interval90_ms[1] / e.interval90_ms[0] <= 10.001


def test_pi5_has_calibrations_of_ten_rows_and_more() -> None:
    for runtime in ("TFLite-XNNPACK", "ONNXRuntime", "ncnn"):
        rows = [c.rows for c in shipped() if c.conditions.board == "Raspberry Pi 5" and c.conditions.runtime == runtime]
        assert max(rows) >= 10, runtime


def test_a_calibration_of_an_old_system_answers_nothing(static: Path) -> None:
    for device in ("pi3b", "pi4"):
        assert "32-bit" not in (estimate(static, device, runtime="litert").calibration_title or "")


@pytest.mark.parametrize(("field", "value"), [("runtime", "litrt"), ("precision", "int4"), ("threads", 0)])
def test_what_does_not_exist_is_a_usage_error(static: Path, field: str, value: object) -> None:
    with pytest.raises(UsageError):
        estimate(static, "pi4", **{field: value})


def test_calibrations_survive_the_file(tmp_path: Path, static: Path) -> None:
    for c in shipped():
        again = read_calibration(write_calibration(c, tmp_path))
        assert again.to_dict() == c.to_dict()


def test_a_damaged_calibration_says_which(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"conditions": {}}')
    with pytest.raises(UsageError, match=r"x\.json"):
        read_calibration(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema_version", 2), ("networks", 0), ("rows", -1), ("rows", "3"), ("origin", "mine"), ("families", {"a": -1}),
        ("conditions.board", 3), ("conditions.board", "a\n"), ("conditions.threads", None), ("conditions", []),
        ("range.lowest", [1.0]), ("range.lowest", [1e300] * 4), ("range.lowest", [99.0] * 4), ("range", None),
        ("interval90.in_family", -1.0), ("interval90.in_family", "1"), ("interval90.family_error", True),
        ("speedup", {"two": 0.1}), ("speedup", {"2": "fast"}), ("rate", {"log_ms": 1.0}), ("pair_error", -0.5),
        ("model.members", []), ("model.members.0.log_cost", {}), ("model.members.0.covariance", [[1.0]]),
        ("model.members.0.log_cost", {"no such term": 1.0}), ("model.residual.points", [[1.0]]),
        ("model.residual.coefficients", [1.0]), ("sources", "x"), ("sources", [3]), ("tests", []),
        ("tests.anchors", {"doubted": "yes"}), ("tests.leave_network_out", {"mean_abs_percent": []}), ("prior", None),
    ],
)  # fmt: skip
def test_a_calibration_of_somebodys_own_making_is_refused(tmp_path: Path, field: str, value: object) -> None:
    document = json.loads(json.dumps(shipped()[0].to_dict()))
    *parents, name = field.split(".")
    holder = document
    for parent in parents:
        holder = holder[int(parent) if isinstance(holder, list) else parent]
    holder[name] = value
    (tmp_path / "x.json").write_text(json.dumps(document))
    with pytest.raises(UsageError, match=r"x\.json"):
        read_calibration(tmp_path / "x.json")


def test_estimating_takes_no_torch_no_onnx_and_under_two_seconds(static: Path) -> None:
    code = (
        "import sys, json, time; t = time.process_time();"
        "from devices.latency.estimate.estimate import estimate;"
        f"e = estimate({str(static)!r}, 'pi4', runtime='litert');"
        "heavy = [m for m in ('torch', 'onnx', 'onnxruntime', 'ai_edge_litert', 'scipy', 'matplotlib') if m in sys.modules];"
        "print(json.dumps([e.p50_ms, heavy, time.process_time() - t]))"
    )
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    p50, heavy, cpu_s = json.loads(done.stdout)
    assert p50 > 0
    assert heavy == []
    assert cpu_s < 2
    assert time.perf_counter() > start
