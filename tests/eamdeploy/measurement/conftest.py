from __future__ import annotations

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """No test sees or changes the user's store, boards or cache."""
    monkeypatch.setenv("EAMDEPLOY_STORE", str(tmp_path / "runs.db"))
    monkeypatch.setenv("EAMDEPLOY_BOARDS", str(tmp_path / "boards.toml"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)  # a run that cannot be stored is rescued into the current folder
    monkeypatch.delenv("EAMDEPLOY_DATA", raising=False)
    monkeypatch.delenv("EAMDEPLOY_DEVICE", raising=False)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A tree of 3 x 40 images of 8 x 8 pixels."""
    from tests.runtimes import tiny_models

    root = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(3)
    for name in tiny_models.CLASSES:
        (root / "test" / name).mkdir(parents=True)
        for number in range(40):
            pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "test" / name / f"{number:02}.png")
    return root


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory):
    """The same network as .onnx and .tflite, with metadata; and what the two hold."""
    from tests.runtimes import tiny_models

    folder = tmp_path_factory.mktemp("artifacts")
    weights = tiny_models.write_onnx(folder / "tiny.onnx", metadata=tiny_models.metadata())
    tiny_models.write_tflite(
        folder / "tiny.tflite", metadata=tiny_models.metadata(format="tflite", input_layout="NHWC")
    )
    tiny_models.write_onnx(folder / "slower.onnx", px=32, layers=3, width=16)
    return folder, weights


@pytest.fixture
def boards(tmp_path):
    """``boards(count)`` gives that many, open until the test ends."""
    from tests.eamdeploy.measurement.served_boards import Boards

    opened = []

    def make(count):
        opened.append(Boards(tmp_path, count))
        return opened[-1]

    yield make
    for each in opened:
        each.close()
