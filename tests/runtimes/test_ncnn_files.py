"""An ncnn network is two files: read, written, and refused where they do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eamdeploy.base.errors import UsageError
from export.ncnn.network import NcnnNetwork, NcnnWeights
from runtimes.protocol import RuntimeOptions
from runtimes.readers.artifact_files import artifact_bytes, artifact_sha256
from runtimes.readers.metadata import read_metadata
from runtimes.readers.ncnn_file import NcnnLayer, NcnnParam, read_param, split_shared, weights_path
from runtimes.registry import get_runtime, runtime_for


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """One linear layer over a 1x2x2 image."""
    ncnn_network = NcnnNetwork()
    ncnn_network.add("Input", "input", (), ("input",), parameters={0: 2, 1: 2, 2: 1})
    ncnn_network.add("Reshape", "flat", ("input",), ("flat",), parameters={0: 4})
    weights = np.arange(12, dtype=np.float32).reshape(3, 4)
    ncnn_network.add(
        "InnerProduct",
        "fc",
        ("flat",),
        ("scores",),
        parameters={0: 3, 1: 0, 2: 12},
        weights=(NcnnWeights(weights, tagged=True),),
    )
    path = tmp_path / "net.ncnn.param"
    ncnn_network.write(path, outputs=["scores"])
    return path


def test_it_runs_image_by_image(network: Path) -> None:
    session = runtime_for(network).load(network, RuntimeOptions())
    images = np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2)
    expected = images.reshape(2, 4) @ np.arange(12, dtype=np.float32).reshape(3, 4).T
    np.testing.assert_allclose(session.run(images)[0], expected)
    assert session.inputs[0].shape == (1, 1, 2, 2)
    assert session.outputs[0].shape == (1, 3)
    session.close()


def test_what_is_written_is_read_again(network: Path) -> None:
    param = read_param(network)
    assert param.text() == network.read_text(encoding="utf-8")
    document = {"format": "ncnn", "name": "kürzer"}
    network.write_text(NcnnParam(param.layers, document, param.output_blobs).text(), encoding="utf-8")
    assert read_param(network).metadata == document
    assert read_metadata(network).name == "kürzer"


def test_both_files_count(network: Path) -> None:
    before = artifact_sha256(network)
    assert artifact_bytes(network) == network.stat().st_size + weights_path(network).stat().st_size
    content = weights_path(network).read_bytes()
    weights_path(network).write_bytes(content[:-1] + b"\x01")
    assert artifact_sha256(network) != before


def test_without_its_weights_it_is_refused(network: Path) -> None:
    weights_path(network).unlink()
    with pytest.raises(UsageError, match="weights are missing"):
        get_runtime("ncnn").load(network, RuntimeOptions())


def test_weights_of_another_network_are_refused(network: Path) -> None:
    param = read_param(network)
    network.write_text(NcnnParam(param.layers, {"weights": {"bytes": 7}}, param.output_blobs).text(), encoding="utf-8")
    with pytest.raises(UsageError, match="do not belong together"):
        get_runtime("ncnn").load(network, RuntimeOptions())


@pytest.mark.parametrize(
    "text", ["", "7767517\n", "7767517\n3 3\nInput x 0 1 x 0=2\n", "onnx", "7767517\n1 1\nInput x 2 1 a\n"]
)
def test_what_is_no_network_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "net.param"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="not an ncnn network"):
        read_param(path)


def test_a_network_that_was_split_is_split_again_under_other_names() -> None:
    layers = (
        NcnnLayer("Input", "input", (), ("input",)),
        NcnnLayer("ReLU", "a", ("input",), ("a",)),
        NcnnLayer("ReLU", "b", ("a",), ("b",)),
        NcnnLayer("ReLU", "c", ("a",), ("c",)),
    )
    once = split_shared(layers, ["b", "c"])
    twice = split_shared(once, ["b", "c", "a"])
    blobs = [blob for layer in twice for blob in layer.outputs]
    assert len(blobs) == len(set(blobs))
    assert {"a", "b", "c"} <= set(blobs)
    input_names = [blob for layer in twice for blob in layer.inputs]
    assert len(input_names) == len(set(input_names))
