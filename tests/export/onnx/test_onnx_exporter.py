"""ONNX files of whole networks: checked, named after their layers, with the batch that was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from eamdeploy.base.errors import UsageError
from eamdeploy.networks.architectures.network import Network
from export.exporter.reference import convolution_layers, layer_values
from export.exporter.request import ExportedFile, ExportRequest
from export.onnx.exporter import OnnxExporter
from export.planning.lower import lower
from export.planning.plan import plan_network
from export.planning.target import Target
from runtimes.readers.metadata import read_metadata

SHAPE = (3, 32, 32)


def export_onnx(network: Network, path: Path, *, batch: Any = 1, **request: Any) -> ExportedFile:
    lowered = lower(network, plan_network(network, Target(batch=batch), SHAPE))
    export_request = ExportRequest(SHAPE, batch=batch, layers=convolution_layers(lowered), **request)
    return OnnxExporter()(lowered, path, export_request)


def run(path: Path, images: np.ndarray, outputs: list[str] | None = None) -> list[np.ndarray]:
    model = onnx.load(str(path))
    for name in outputs or []:
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(outputs or ["scores"], {"input": images})


@pytest.fixture(scope="module")
def exported(small: Network, tmp_path_factory: pytest.TempPathFactory) -> ExportedFile:
    return export_onnx(small, tmp_path_factory.mktemp("onnx") / "net.onnx")


@pytest.mark.slow
def test_every_named_tensor_is_the_layers(small: Network, exported: ExportedFile) -> None:
    """The names lead to the values: alpha of every dynamic layer, the output of every convolution, every block."""
    images = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(1))
    expected = layer_values(small, images)
    assert set(exported.tensors["alpha"]) == set(small.dynamic_layers())
    assert set(exported.tensors["output"]) == {*small.dynamic_layers(), "classifier"}
    for kind, group in exported.tensors.items():
        values = run(exported.path, images.numpy(), list(group.values()))
        for layer, value in zip(group, values, strict=True):
            np.testing.assert_allclose(
                value, expected[kind][layer].numpy(), rtol=1e-3, atol=1e-5, err_msg=f"{kind} {layer}"
            )


def test_nodes_are_called_after_their_layers_and_nothing_else_is_told(exported: ExportedFile) -> None:
    model = onnx.load(str(exported.path))
    paths = {node.name.partition("/")[0] for node in model.graph.node}
    assert {"stem.conv", "blocks.12.pointwise.conv", "blocks.3.depthwise.conv.attention.fc1", "classifier"} <= paths
    assert len({node.name for node in model.graph.node}) == len(model.graph.node)
    text = model.SerializeToString()
    assert str(Path.cwd()).encode() not in text
    assert b"stack_trace" not in text


@pytest.mark.slow
def test_the_file_is_whole_and_has_the_opset_asked_for(small: Network, exported: ExportedFile, tmp_path: Path) -> None:
    model = onnx.load(str(exported.path), load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert [path.name for path in exported.path.parent.iterdir()] == ["net.onnx"]
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == 20
    other = export_onnx(small, tmp_path / "net.onnx", opset=18, simplify=False)
    assert {entry.domain: entry.version for entry in onnx.load(str(other.path)).opset_import}[""] == 18


@pytest.mark.slow
def test_an_opset_that_cannot_be_delivered_is_an_error(small: Network, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="opset 99"):
        export_onnx(small, tmp_path / "net.onnx", opset=99, simplify=False)


@pytest.mark.slow
def test_a_dynamic_batch_gives_each_image_what_it_gets_alone(small: Network, tmp_path: Path) -> None:
    path = export_onnx(small, tmp_path / "net.onnx", batch="dynamic").path
    images = np.random.default_rng(0).standard_normal((8, *SHAPE), dtype=np.float32)
    alone = np.concatenate([run(path, images[i : i + 1])[0] for i in range(8)])
    with torch.no_grad():
        np.testing.assert_allclose(alone, small(torch.from_numpy(images)).numpy(), rtol=1e-3, atol=1e-4)
    for batch in (3, 8):
        np.testing.assert_allclose(run(path, images[:batch])[0], alone[:batch], rtol=1e-4, atol=1e-5)


def test_metadata_goes_in_and_is_replaced(exported: ExportedFile, tmp_path: Path) -> None:
    path = tmp_path / "copy.onnx"
    path.write_bytes(exported.path.read_bytes())
    exporter = OnnxExporter()
    for name in ("first", "second"):
        exporter.attach_metadata(path, {"schema_version": 1, "name": name, "classes": ["ä", "b"], "format": "onnx"})
    metadata = read_metadata(path)
    assert metadata.name == "second"
    assert metadata.classes == ("ä", "b")
    assert len(onnx.load(str(path)).metadata_props) == 1
