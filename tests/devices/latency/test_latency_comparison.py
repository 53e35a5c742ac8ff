"""A ratio of two artifacts is known better than either latency."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest

from devices.latency.estimate.comparison import compare_estimates
from devices.latency.estimate.estimate import estimate
from eamdeploy.networks.architectures.build import build
from eamdeploy.networks.spec import ArchSpec
from export.exporter.registry import get_exporter
from export.exporter.request import ExportRequest


@pytest.fixture(scope="module")
def twins(export_network) -> tuple[Path, Path]:
    return export_network(conv="eam", input_px=128), export_network(conv="static", input_px=128)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["litert", "onnxruntime"])
def test_the_ratio_of_a_dynamic_network_and_its_twin_is_no_less_certain_than_their_latencies(
    twins: tuple[Path, Path], runtime: str
) -> None:
    for device in ("pi4", "pi5"):
        ratio = compare_estimates(*twins, device, runtime=runtime)
        low, high = ratio.interval90
        assert low < ratio.ratio < high
        assert ratio.ratio > 1
        dynamic = estimate(twins[0], device, runtime=runtime)
        assert high / low <= 1.001 * dynamic.interval90_ms[1] / dynamic.interval90_ms[0]
        assert any("counted instructions" in note for note in ratio.notes)


def test_a_network_beside_itself_takes_as_long(twins: tuple[Path, Path]) -> None:
    ratio = compare_estimates(twins[1], twins[1], "pi4", runtime="litert")
    assert ratio.ratio == pytest.approx(1)
    assert ratio.shared_percent == pytest.approx(100)


def test_the_ratio_turned_round_is_its_inverse(twins: tuple[Path, Path]) -> None:
    forward, back = (compare_estimates(*pair, "pi4", runtime="litert") for pair in (twins, twins[::-1]))
    assert forward.ratio * back.ratio == pytest.approx(1, rel=1e-3)
    assert forward.interval90[0] * back.interval90[1] == pytest.approx(1, rel=1e-3)


def test_an_unknown_board_has_no_ratio_and_says_why(twins: tuple[Path, Path]) -> None:
    ratio = compare_estimates(*twins, "host")
    assert ratio.ratio is None
    assert ratio.interval90 is None
    assert "host" in ratio.notes[0]
    assert ratio.to_dict()["provenance"] is None


@pytest.fixture(scope="module")
def static_ncnn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = build(ArchSpec(arch="mobilenet_v1", width=0.25, input_px=128, classes=10, conv="static"))
    path = tmp_path_factory.mktemp("ncnn") / "static.ncnn.param"
    get_exporter("ncnn")(network, path, ExportRequest((3, 128, 128)))
    return path


@pytest.mark.slow
def test_files_of_two_runtimes_share_no_error_and_have_a_wider_ratio(
    twins: tuple[Path, Path], static_ncnn: Path
) -> None:
    ratio = compare_estimates(twins[1], static_ncnn, "pi4")
    latencies = [estimate(path, "pi4") for path in (twins[1], static_ncnn)]
    low, high = ratio.interval90
    widths = [math.log(e.interval90_ms[1] / e.interval90_ms[0]) for e in latencies]
    assert ratio.ratio == pytest.approx(latencies[0].p50_ms / latencies[1].p50_ms, rel=0.01)
    assert math.log(high / low) == pytest.approx(math.hypot(*widths), rel=0.02)
    assert ratio.shared_percent is None
    assert any("two runtimes" in note for note in ratio.notes)


def test_a_float_file_is_compared_with_an_int8_file(twins: tuple[Path, Path], tmp_path: Path) -> None:
    int8 = tmp_path / "int8.onnx"
    shutil.copy(twins[1], int8)
    get_exporter("onnx").attach_metadata(int8, {"format": "onnx", "precision": "int8"})
    ratio, back = (compare_estimates(*pair, "pi4") for pair in ((int8, twins[1]), (twins[1], int8)))
    assert ratio.ratio is not None
    assert ratio.ratio * back.ratio == pytest.approx(1, rel=1e-3)


def test_a_ratio_is_at_most_as_uncertain_as_both_latencies_together(twins: tuple[Path, Path]) -> None:
    checked = 0
    for device in ("pi3b", "pi4", "pi5", "jetson-nano", "jetson-orin-nano"):
        for pair in (twins, twins[::-1]):
            ratio = compare_estimates(*pair, device, runtime="litert")
            latencies = [estimate(path, device, runtime="litert") for path in pair]
            if ratio.interval90 is not None and all(e.calibration == ratio.calibration for e in latencies):
                inside = sum(math.log(e.interval90_ms[1] / e.interval90_ms[0]) for e in latencies)
                assert math.log(ratio.interval90[1] / ratio.interval90[0]) <= inside + 1e-3
                checked += 1
    assert checked >= 2
