"""A small dynamic network, trained for a moment on real images, as float artifacts of both formats."""

from __future__ import annotations

import pytest

from eamdeploy.data import embedded_sample
from eamdeploy.inference.model_card import ModelCard
from tests.export.quantize.tiny_network import PREPROCESSING, TinyFiles, export_tiny, train_tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyFiles:
    folder = tmp_path_factory.mktemp("tiny")
    network = train_tiny()
    paths = {fmt: export_tiny(network, folder, fmt) for fmt in ("onnx", "tflite")}
    return TinyFiles(network, ModelCard(paths["onnx"], embedded_sample().classes, PREPROCESSING), paths)
