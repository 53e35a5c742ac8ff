"""ncnn weights in float16: half the file, the same network to within rounding; int8 refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eamdeploy.base.errors import UsageError
from export.ncnn.network import NcnnNetwork, NcnnWeights
from export.quantize.formats import open_quantizer
from runtimes.protocol import RuntimeOptions
from runtimes.readers.ncnn_file import HALF_TAG, weights_path
from runtimes.registry import get_runtime


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A convolution, a mixture of kernels and a linear layer over an 8x4x4 image."""
    draw = np.random.default_rng(0).standard_normal
    ncnn_network = NcnnNetwork()
    ncnn_network.add("Input", "input", (), ("input",), parameters={0: 4, 1: 4, 2: 8})
    ncnn_network.add("Split", "both", ("input",), ("a", "b"))
    weights = (NcnnWeights(draw((8, 8, 1, 1)), tagged=True), NcnnWeights(draw(8)))
    ncnn_network.add("Convolution", "conv", ("a",), ("y",), parameters={0: 8, 1: 1, 5: 1, 6: 64}, weights=weights)
    ncnn_network.add("Pooling", "pool", ("b",), ("mean",), parameters={0: 1, 4: 1})
    ncnn_network.add("Reshape", "row", ("mean",), ("row",), parameters={0: 8, 1: 1})
    bank = (NcnnWeights(draw((8, 64)), tagged=True), NcnnWeights(draw(64), tagged=True))
    ncnn_network.add(
        "Gemm", "bank", ("row",), ("mixed",), parameters={5: 1, 6: 1, 7: 0, 8: 64, 9: 8, 10: 4}, weights=bank
    )
    ncnn_network.add("Reshape", "kernel", ("mixed",), ("kernel",), parameters={0: 1, 1: 1, 11: 8, 2: 8})
    ncnn_network.add("Convolution", "dynamic", ("y", "kernel"), ("z",), parameters={0: 8, 1: 1, 6: 64, 19: 1})
    ncnn_network.add("Reshape", "flat", ("z",), ("flat",), parameters={0: 128})
    ncnn_network.add(
        "InnerProduct",
        "fc",
        ("flat",),
        ("scores",),
        parameters={0: 3, 1: 0, 2: 384},
        weights=(NcnnWeights(draw((3, 128)), tagged=True),),
    )
    path = tmp_path / "net.ncnn.param"
    ncnn_network.write(path, outputs=["scores"])
    return path


def _scores(path: Path, image: np.ndarray) -> np.ndarray:
    session = get_runtime("ncnn").load(path, RuntimeOptions())
    values = session.run(image)[0]
    session.close()
    return values


def test_float16_halves_the_file_and_keeps_the_function(network: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.ncnn.param"
    open_quantizer(network).write(half, "fp16")
    before, after = weights_path(network).stat().st_size, weights_path(half).stat().st_size
    assert 0.48 < after / before < 0.56
    assert weights_path(half).read_bytes()[:4] == HALF_TAG
    image = np.random.default_rng(1).standard_normal((2, 8, 4, 4)).astype(np.float32)
    exact, stored = _scores(network, image), _scores(half, image)
    error = np.abs(stored - exact).max() / np.abs(exact).max()
    assert 0 < error < 2e-3


def test_the_noise_of_a_layer_is_measured(network: Path, tmp_path: Path) -> None:
    quantizer = open_quantizer(network)
    quantizer.write(tmp_path / "half.ncnn.param", "fp16")
    assert quantizer.input_shape == (8, 4, 4)
    assert quantizer.layer_snr_db(tmp_path / "half.ncnn.param", []) == {}  # it names no layers


@pytest.mark.parametrize("precision", ["int8", "int8-weights"])
def test_int8_is_refused(network: Path, tmp_path: Path, precision: str) -> None:
    with pytest.raises(UsageError, match=f"not written in {precision}"):
        open_quantizer(network).write(tmp_path / "small.ncnn.param", precision)
