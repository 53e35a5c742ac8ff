"""Files of other converters: right ones pass, of wrong ones the operator is named and cut out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

import eamdeploy
from eamdeploy.networks.checkpoint import load_checkpoint, save_checkpoint
from eamdeploy.parity.audit.suspects import explained, suspect_part
from eamdeploy.parity.run.probe import GraphOperator
from eamdeploy.pipeline.export import ExportOptions
from runtimes.protocol import RuntimeOptions
from runtimes.readers.ncnn_file import read_param, weight_blocks, weight_spans
from runtimes.registry import get_runtime, runtime_for

NETWORK = "fashion-mnist-v1x0.25-eam-rcr"


def test_the_part_reaches_from_right_tensors_to_the_wrong_one() -> None:
    operators = [
        GraphOperator("Conv", "conv", ("image",), ("map",)),
        GraphOperator("Crop", "crop", ("map",), ("chosen",)),
        GraphOperator("Dense", "fc", ("chosen",), ("logits",)),
        GraphOperator("Softmax", "softmax", ("logits",), ("alpha",)),
        GraphOperator("Conv", "next", ("map", "alpha"), ("scores",)),
    ]
    part = suspect_part(operators, "alpha", {"map"}, {"image"})
    assert [operator.name for operator in part.operators] == ["crop", "fc", "softmax"]
    assert (part.inputs, part.output) == (("map",), "alpha")


def test_a_tensor_is_known_by_its_elements_in_any_order() -> None:
    truth = np.arange(12, dtype=np.float32).reshape(3, 4)
    tensors = {
        "same": truth,
        "transposed": truth.T.copy(),
        "off": truth + 1,
        "short": truth[:2],
        "nan": truth * np.nan,
    }
    assert explained(tensors, [truth]) == {"same", "transposed"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audited")
    (artifact,) = eamdeploy.export(NETWORK, folder, formats=["ncnn"])
    return artifact.path


@pytest.mark.slow
def test_a_right_file_passes(exported: Path, tmp_path: Path) -> None:
    report = eamdeploy.audit(exported, NETWORK, out=tmp_path, limit=20)
    assert report.passed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_gather_that_became_a_crop_of_one_channel_is_found(exported: Path, tmp_path: Path) -> None:
    """What pnnx makes of the channel choice, put into a right file: the first channels are read in the place of the chosen ones."""
    right, weights = read_param(exported), exported.with_suffix(".bin").read_bytes()
    place, choice = next(
        (place, layer)
        for place, layer in enumerate(right.layers)
        if layer.name.startswith("blocks.3.pointwise.conv.attention.select")
    )
    assert choice.kind == "Convolution"
    spans = weight_spans(right.layers[:place], weights)
    assert spans
    begin, length = spans[-1][1], weight_blocks(choice, weights, spans[-1][1])
    outputs = choice.parameters[0]
    assert length
    assert isinstance(outputs, int)
    crop = replace(choice, kind="Crop", parameters={9: (0,), 10: (outputs,), 11: (0,)})
    wrong = tmp_path / "wrong.ncnn.param"
    layers = (*right.layers[:place], crop, *right.layers[place + 1 :])
    fewer = weights[:begin] + weights[begin + length :]
    assert right.metadata is not None
    metadata = {**right.metadata, "weights": {**right.metadata["weights"], "bytes": len(fewer)}}
    wrong.write_text(replace(right, layers=layers, metadata=metadata).text(), encoding="utf-8")
    wrong.with_suffix(".bin").write_bytes(fewer)
    report = eamdeploy.audit(wrong, NETWORK, out=tmp_path / "out", limit=20)
    assert not report.passed
    assert report.parity.first_divergence is not None
    assert report.parity.first_divergence.layer == "blocks.3.pointwise.conv"
    assert report.part is not None
    assert any(crop.name == operator.name for operator in report.part.operators)
    assert len(report.part.operators) < 15
    # the part alone shows the same wrong values
    assert report.part_file is not None
    assert report.values_file is not None
    values = np.load(report.values_file)
    session = get_runtime("ncnn").load(report.part_file, RuntimeOptions())
    feeds = {tensor.name: values[f"input:{tensor.name}"] for tensor in session.inputs}
    np.testing.assert_allclose(session.raw_run(feeds)[0].ravel(), values["found"].ravel(), rtol=1e-4, atol=1e-6)
    session.close()
    assert np.abs(values["found"].ravel() - values["expected"].ravel()).max() > 1e-5


def _forget_its_origin(path: Path) -> None:
    """Make it a file of somebody else's: without what eamdeploy wrote into it."""
    if path.suffix == ".onnx":
        model = onnx.load(str(path))
        del model.metadata_props[:]
        onnx.save(model, str(path))
    else:
        content = path.read_bytes()
        path.write_bytes(content[: content.rindex(b"PK\x03\x04")])


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "tflite", "mnn"])
def test_the_part_of_a_wrong_file_runs_alone_and_is_as_wrong(form: str, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(NETWORK)
    layers = checkpoint.network.dynamic_layers()
    layers["blocks.3.pointwise.conv"].attention.fc2.bias.data[0] += 10
    other = tmp_path / "other.safetensors"
    save_checkpoint(
        other,
        checkpoint.network,
        preprocessing=checkpoint.preprocessing,
        classes=checkpoint.classes,
        meta={"data": "a shipped network with other weights"},
    )
    (artifact,) = eamdeploy.export(other, tmp_path, formats=[form], options=ExportOptions(images=8))
    _forget_its_origin(artifact.path)
    report = eamdeploy.audit(artifact.path, NETWORK, out=tmp_path / "out", limit=20)
    assert not report.passed
    assert report.part_file is not None
    assert report.part_file.stat().st_size < artifact.path.stat().st_size / 4
    values = np.load(report.values_file)
    session = runtime_for(report.part_file).load(report.part_file, RuntimeOptions())
    inputs = [values[key] for key in values.files if key.startswith("input:")]
    feeds = {tensor.name: value for tensor, value in zip(session.inputs, inputs, strict=True)}
    np.testing.assert_allclose(session.raw_run(feeds)[0].ravel(), values["found"].ravel(), rtol=1e-4, atol=1e-6)
    session.close()
    assert np.abs(values["found"].ravel() - values["expected"].ravel()).max() > 1e-3
