"""Files that onnxruntime's own quantizer wrote, in each of its three forms, hold the work of the float file."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_dynamic, quantize_static

from devices.latency.graph.extract import extract_features
from devices.latency.graph.onnx_quantized import as_float
from tests.devices.latency.test_latency_readers import small_onnx


class ForeignCalibration(CalibrationDataReader):
    """Two random images."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self.images = [random.normal(size=(1, 3, 32, 32)).astype(np.float32) for _ in range(2)]

    def get_next(self) -> dict[str, np.ndarray] | None:
        return {"x": self.images.pop()} if self.images else None


@pytest.fixture(scope="module")
def float_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = small_onnx(tmp_path_factory.mktemp("foreign") / "net.onnx")
    model = onnx.load(path)
    model.ir_version = 10  # onnx writes a newer one than ONNX Runtime may read
    # what an exporter says of a float file, a quantizer copies
    helper.set_model_props(model, {"eamdeploy": '{"precision": "fp32"}'})
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("form", ["QDQ", "QOperator", "dynamic"])
def test_a_file_of_another_quantizer_has_the_float_files_work_in_int8(
    float_file: Path, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    path = float_file.with_name(f"{form}.onnx")
    if form == "dynamic":
        quantize_dynamic(float_file, path)
    else:
        quantize_static(float_file, path, ForeignCalibration(), quant_format=QuantFormat[form])
    before, after = extract_features(float_file), extract_features(path)

    def work(features) -> dict[str, int]:
        return {r.kind: r.macs for r in features.records if r.macs}

    assert before.precision == "fp32"
    assert after.precision == "int8"
    assert work(after) == work(before)
    assert {r.kind for r in after.records if r.macs and r.element_bytes == 1} >= {"full", "depthwise", "pointwise"}


def test_scales_and_zero_points_are_no_operands() -> None:
    conv = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"]
    assert as_float("QLinearConv", conv) == ("Conv", ["x", "w", "b"])
    assert as_float("QLinearConv", conv[:8]) == ("Conv", ["x", "w"])
    assert as_float("QLinearConcat", ["s", "z", "a", "as", "az", "b", "bs", "bz"]) == ("Concat", ["a", "b"])
    assert as_float("Conv", ["x", "w"]) == ("Conv", ["x", "w"])
