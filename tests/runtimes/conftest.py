from __future__ import annotations

import numpy as np
import pytest

from tests.runtimes import tiny_models


@pytest.fixture
def images():
    return np.random.default_rng(5).standard_normal((5, 3, 8, 8)).astype(np.float32)


@pytest.fixture(scope="session")
def tflite(tmp_path_factory):
    """A .tflite with metadata, and the weights in it."""
    path = tmp_path_factory.mktemp("tflite") / "tiny.tflite"
    return path, tiny_models.write_tflite(path, metadata=tiny_models.metadata(format="tflite", input_layout="NHWC"))
