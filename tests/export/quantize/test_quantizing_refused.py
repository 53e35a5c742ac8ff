"""What quantizing refuses, in one sentence and before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from eamdeploy.base.errors import DataError, UsageError
from eamdeploy.data import embedded_sample
from eamdeploy.data.dataset import Subset
from eamdeploy.pipeline.quantize.options import QuantizeOptions
from eamdeploy.pipeline.quantize.run import quantize_artifact
from tests.export.quantize.tiny_network import TinyFiles, halves


def test_calibration_is_refused_on_one_class_or_none(tiny: TinyFiles, tmp_path: Path) -> None:
    data = embedded_sample()
    single_class = Subset(data, [index for index in range(len(data)) if data.label(index) == 3])
    with pytest.raises(DataError, match="one class"):
        quantize_artifact(
            tiny.paths["onnx"], tmp_path / "n.onnx", QuantizeOptions(), card=tiny.card, calibration=single_class
        )
    assert list(tmp_path.iterdir()) == []


def test_layers_and_precisions_that_do_not_exist_are_named(tiny: TinyFiles, tmp_path: Path) -> None:
    calibration_images = halves()[0]
    for options, message in (
        (QuantizeOptions(float_layers=("pointwise.con",)), "did you mean 'pointwise.conv'"),
        (QuantizeOptions("int4"), "nothing can be quantized to 'int4'"),
        (QuantizeOptions(method="max"), "unknown calibration method"),
        (QuantizeOptions(max_drop=-1), "between 0 and 100"),
    ):
        with pytest.raises(UsageError, match=message):
            quantize_artifact(
                tiny.paths["onnx"], tmp_path / "n.onnx", options, card=tiny.card, calibration=calibration_images
            )
    assert list(tmp_path.iterdir()) == []


def test_an_image_that_does_not_decode_ends_the_calibration(tiny: TinyFiles, tmp_path: Path) -> None:
    from eamdeploy.data import open_dataset

    for kind in ("a", "b"):
        (tmp_path / "d" / kind).mkdir(parents=True)
        Image.new("L", (28, 28), 90).save(tmp_path / "d" / kind / "0.png")
    (tmp_path / "d" / "b" / "1.png").write_text("no image")
    with pytest.raises(DataError, match=r"1\.png"):
        quantize_artifact(
            tiny.paths["onnx"],
            tmp_path / "n.onnx",
            QuantizeOptions(),
            card=tiny.card,
            calibration=open_dataset(tmp_path / "d"),
        )
    assert not (tmp_path / "n.onnx").exists()
