"""Files of other people's exporters: each form gives the same scores, is quantized, or is refused with what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from eamdeploy.base.errors import DataError, UsageError
from eamdeploy.data import embedded_sample
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.data.preprocessing_said import read_said
from eamdeploy.inference.evaluate import evaluate
from eamdeploy.inference.foreign import foreign_card
from eamdeploy.inference.model_card import read_card
from eamdeploy.pipeline.quantize.files import check_format
from eamdeploy.pipeline.quantize.options import QuantizeOptions
from eamdeploy.pipeline.quantize.run import quantize_artifact
from export.quantize.formats import open_quantizer
from export.quantize.onnx import quantizer as quantizer_module
from runtimes.protocol import RuntimeOptions
from runtimes.readers.artifact_files import artifact_bytes
from runtimes.registry import get_runtime
from tests.export.quantize.foreign_forms import Form, write

DATA = embedded_sample()
UNIT = read_said('{"size": 28, "channels": 1, "normalize": "unit"}').preprocessing
PIXELS = read_said('{"size": 28, "channels": 1, "normalize": "pixels"}').preprocessing
FORMS = {
    "plain": Form(),
    "uint8": Form(TensorProto.UINT8),
    "nhwc": Form(layout="NHWC"),
    "uint8-nhwc": Form(TensorProto.UINT8, "NHWC"),
    "float16-input": Form(TensorProto.FLOAT16),
    "old": Form(ir=3, opset=7),
    "older-than-13": Form(ir=6, opset=11),
    "new": Form(ir=10, opset=21),
    "maps": Form(maps=True),
    "external": Form(external=True),
}


def fitting(form: Form) -> Preprocessing:
    return PIXELS if form.dtype == TensorProto.UINT8 else UNIT


def scores(path: Path, preprocessing: Preprocessing) -> np.ndarray:
    session = get_runtime("onnxruntime").load(path, RuntimeOptions())
    return np.asarray(session.run(preprocessing.apply_batch(DATA.image(index) for index in range(40)))[0]).reshape(
        40, -1
    )


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_scores_and_is_quantized(tmp_path: Path, name: str) -> None:
    form = FORMS[name]
    path, preprocessing = write(tmp_path / f"{name}.onnx", form), fitting(form)
    plain = scores(write(tmp_path / "reference.onnx", Form()), UNIT)
    float_scores = scores(path, preprocessing)
    np.testing.assert_allclose(float_scores, plain, atol=5e-3 if "16" in name else 1e-4)
    card = foreign_card(path, preprocessing, DATA.classes)
    assert (card.head.kind, len(card.classes)) == ("logits", 10)
    options = QuantizeOptions(max_drop=100, calibration_images=40, check_images=40, latency=False)
    quantized = quantize_artifact(path, tmp_path / "int8.onnx", options, card=card, calibration=DATA)
    assert quantized.report.outcome.flips <= 4
    assert quantized.report.float_bytes == artifact_bytes(path)
    assert quantized.report.size_ratio < 0.6
    # the quantized file takes what the float one took, and knows it
    rounded = scores(quantized.path, read_card(quantized.path).preprocessing)
    assert np.abs(rounded - plain).max() < 0.1 * np.ptp(plain)
    assert evaluate(quantized.path, DATA, limit=40).result.n == 40


def test_normalised_images_are_not_cast_to_whole_pixels(tmp_path: Path) -> None:
    path = write(tmp_path / "net.onnx", FORMS["uint8"])
    with pytest.raises(DataError, match=r'takes whole numbers \(uint8\).*0 to 1; give pixels.*"normalize": "pixels"'):
        foreign_card(path, UNIT, DATA.classes)


def test_a_half_precision_model_is_run_and_refused_for_quantization(tmp_path: Path) -> None:
    path = write(tmp_path / "net.onnx", Form(TensorProto.FLOAT16, half=True))
    assert foreign_card(path, UNIT, DATA.classes).head.kind == "logits"
    with pytest.raises(UsageError, match=r"computes in float16.*export it in float32"):
        open_quantizer(path)


def test_a_model_larger_than_a_protobuf_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "net.onnx", FORMS["external"])
    monkeypatch.setattr(quantizer_module, "LARGEST", 10_000)
    with pytest.raises(UsageError, match="a graph in memory can have 2 GB"):
        open_quantizer(path)


def test_external_data_that_is_missing_is_one_sentence(tmp_path: Path) -> None:
    path = write(tmp_path / "net.onnx", FORMS["external"])
    (tmp_path / "net.bin").unlink()
    with pytest.raises(UsageError, match=r"there is no net\.bin; copy that file beside it"):
        open_quantizer(path)


def test_another_format_than_the_artifacts_is_refused() -> None:
    with pytest.raises(UsageError, match="quantizing keeps the format, and tflite was asked for"):
        check_format(Path("net.onnx"), ("tflite",))
    check_format(Path("net.onnx"), ("onnx",))
    check_format(Path("net.onnx"), None)
