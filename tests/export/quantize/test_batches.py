"""int8 files for a batch of several images: each image has its own kernels, cut into parts or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.quantize import bank_parts
from export.quantize.formats import open_quantizer
from runtimes.protocol import RuntimeOptions
from runtimes.registry import runtime_for
from tests.export.quantize.tiny_network import TinyFiles, export_tiny, images


def scores(path: Path, pictures: np.ndarray) -> np.ndarray:
    session = runtime_for(path).load(path, RuntimeOptions())
    try:
        return np.asarray(session.run(pictures)[0])
    finally:
        session.close()


@pytest.mark.parametrize("fmt", ["onnx", pytest.param("tflite", marks=pytest.mark.slow)])
@pytest.mark.parametrize("batch", [2, 4])
def test_a_batch_has_the_scores_of_its_images_alone(
    tiny: TinyFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fmt: str, batch: int
) -> None:
    # as the large banks of a real network on this machine
    monkeypatch.setattr(bank_parts, "_LARGE", 1024)
    path = export_tiny(tiny.network, tmp_path, fmt, batch)
    pictures = images(16)
    quantizer = open_quantizer(path)
    quantizer.calibrate([pictures[start : start + batch] for start in range(0, 16, batch)], "minmax")
    quantizer.write(tmp_path / f"int8.{fmt}", "int8")
    exact, rounded = scores(path, pictures), scores(tmp_path / f"int8.{fmt}", pictures)
    assert np.square(rounded - exact).sum() < 0.05 * np.square(exact).sum()
    turned = scores(tmp_path / f"int8.{fmt}", pictures[::-1])[::-1]
    np.testing.assert_allclose(turned, rounded, atol=1e-5)
