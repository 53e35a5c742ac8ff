"""Whole files: they load, shrink, keep their accuracy, and say so; what does not is not left behind."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import onnx
import pytest
import torch

import eamdeploy.pipeline.quantize.run as quantizing
from eamdeploy.base.errors import ParityError
from eamdeploy.data import embedded_sample
from eamdeploy.networks.checkpoint import load_checkpoint
from eamdeploy.networks.random_init import write_random
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.pipeline.export import ExportOptions, card_of, export_checkpoint
from eamdeploy.pipeline.quantize.options import QuantizeOptions
from eamdeploy.pipeline.quantize.run import quantize_artifact
from export.manifest.document import manifest_schema, read_manifest
from export.quantize.formats import open_quantizer
from export.quantize.quantizer import Images, Written
from export.quantize.tflite.model import TfliteModel
from runtimes.protocol import RuntimeOptions
from runtimes.readers.metadata import read_metadata
from runtimes.registry import runtime_for
from tests.export.quantize.tiny_network import TinyFiles, export_tiny, halves, images


@pytest.mark.parametrize("fmt", ["onnx", "tflite"])
@pytest.mark.parametrize(("precision", "largest"), [("int8", 0.75), ("fp16", 0.8), ("int8-weights", 0.75)])
def test_a_quantized_file_runs_shrinks_and_agrees(
    tiny: TinyFiles, tmp_path: Path, fmt: str, precision: str, largest: float
) -> None:
    samples, checked = halves()
    target = tmp_path / f"tiny-{precision}.{fmt}"
    options = QuantizeOptions(precision, max_drop=3.0)
    quantized = quantize_artifact(tiny.paths[fmt], target, options, card=tiny.card, calibration=samples, check=checked)
    report = quantized.report
    assert report.outcome.images == 100
    assert report.outcome.float_top1 is not None
    assert report.outcome.float_top1 > 60  # else the comparison says nothing
    assert report.outcome.drop_points <= 3.0
    # a network of 20 kB is half graph: what matters is that the weights shrank
    assert report.size_ratio < largest
    assert target.stat().st_size == quantized.bytes
    if fmt == "tflite" and precision == "int8-weights":
        # a scale per output channel came with version 12: older runtimes must refuse it, not misread it
        model = TfliteModel.read(target)
        linear = [op for op in model.graph.operators if model.kind(op) == "FULLY_CONNECTED"]
        codes = [(op, model.graph.tensors[op.inputs[1]].quantization) for op in linear]
        per_channel = [op for op, code in codes if code is not None and code.scale is not None and len(code.scale) > 1]
        assert {model.model.operatorCodes[op.opcodeIndex].version for op in per_channel} == {12}
    metadata = read_metadata(target)
    assert metadata.precision == precision
    assert metadata.classes == tiny.card.classes
    manifest = read_manifest(quantized.manifest)
    jsonschema.validate(manifest, manifest_schema())
    entry = manifest["artifacts"][0]["quantization"]
    assert entry["check"]["images"] == 100
    if precision == "int8":
        assert all(row["snr_db"] > 15 for row in entry["layers"]), entry["layers"]
        assert entry["calibration"] == {"data": "fashion-mnist-sample", "images": 100, "classes": 10}
        assert 0 < entry["float_operator_share"] < 1


@pytest.mark.parametrize("fmt", ["onnx", "tflite"])
def test_the_same_images_give_the_same_file(tiny: TinyFiles, tmp_path: Path, fmt: str) -> None:
    contents = []
    for run in ("a", "b"):
        quantizer = open_quantizer(tiny.paths[fmt])
        quantizer.calibrate((row[None] for row in images(24)), "mse")
        path = tmp_path / f"{run}.{fmt}"
        quantizer.write(path, "int8")
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


def test_banks_are_stored_in_eight_bits_and_no_float_copy_is_left(tiny: TinyFiles, tmp_path: Path) -> None:
    quantizer = open_quantizer(tiny.paths["onnx"])
    quantizer.calibrate((row[None] for row in images(8)), "minmax")
    quantizer.write(tmp_path / "q.onnx", "int8")
    large = [t for t in onnx.load(str(tmp_path / "q.onnx")).graph.initializer if np.prod(t.dims) >= 1000]
    assert large
    assert all(tensor.data_type == onnx.TensorProto.INT8 for tensor in large), [(t.name, t.data_type) for t in large]


def damaged(tiny: TinyFiles, folder: Path, fmt: str) -> Path:
    """The same function, but one channel of the first map a thousand times larger than the others: no int8 code serves both."""
    from export.lowerings.fold import fold_batchnorm

    network = fold_batchnorm(tiny.network)
    with torch.no_grad():
        conv = network.depthwise.conv
        conv.bank[:, 0] *= 3000
        conv.bias[:, 0] *= 3000
        following = network.pointwise.conv
        following.bank[:, :, 0] /= 3000
        attention = following.attention
        if attention.selection is not None and 0 in attention.selection.indices.tolist():
            place = attention.selection.indices.tolist().index(0)
            attention.fc1.weight.unflatten(1, (attention.selected, -1))[:, place] /= 3000
    folder.mkdir(parents=True, exist_ok=True)
    return export_tiny(network, folder, fmt)


def test_the_layer_that_harms_goes_back_to_float_and_the_manifest_says_why(tiny: TinyFiles, tmp_path: Path) -> None:
    samples, checked = halves()
    source = damaged(tiny, tmp_path / "damaged", "onnx")
    target = tmp_path / "out" / "net-int8.onnx"
    lax = quantize_artifact(
        source, target, QuantizeOptions(max_drop=100, latency=False), card=tiny.card, calibration=samples, check=checked
    )
    assert lax.report.outcome.drop_points > 5, "the network was not damaged enough to test anything"
    quantized = quantize_artifact(
        source, target, QuantizeOptions(max_drop=3, latency=False), card=tiny.card, calibration=samples, check=checked
    )
    assert quantized.report.outcome.drop_points <= 3
    assert 0 < len(quantized.report.written.float_layers) < 5
    entry = read_manifest(quantized.manifest)["artifacts"][0]["quantization"]
    reasons = {row["layer"]: row["reason"] for row in entry["layers"] if row["precision"] == "float"}
    assert "pointwise.conv" in reasons or "depthwise.conv" in reasons
    assert all("3 points" in reason and "alone" in reason for reason in reasons.values())
    assert len(entry["attempts"]) > 1


def test_a_bound_that_cannot_be_kept_leaves_nothing_behind(tiny: TinyFiles, tmp_path: Path) -> None:
    class Noisy:
        """Flips every score, whatever is left in float."""

        def __init__(self, path: Path) -> None:
            self._inner = open_quantizer(path)
            self.path, self.layers = path, self._inner.layers
            self.batch, self.input_shape = self._inner.batch, self._inner.input_shape
            self.calibrate, self.layer_snr_db = self._inner.calibrate, self._inner.layer_snr_db

        def write(self, path: Path, precision: str, float_layers: Collection[str] = ()) -> Written:
            written = self._inner.write(path, precision, float_layers)
            model = onnx.load(str(path))
            final = next(node for node in model.graph.node if node.output[0] == "scores")
            final.output[0] = "positive"
            model.graph.node.append(onnx.helper.make_node("Neg", ["positive"], ["scores"]))
            onnx.save(model, str(path))
            return written

    samples, checked = halves()
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(ParityError, match=r"loses too much.*points of top-1") as caught,
    ):
        patch.setattr(quantizing, "open_quantizer", Noisy)
        options = QuantizeOptions(max_drop=0.5, latency=False)
        quantize_artifact(
            tiny.paths["onnx"], tmp_path / "o" / "n.onnx", options, card=tiny.card, calibration=samples, check=checked
        )
    assert caught.value.exit_code == 3
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("how", ["garbage", "unchanged"])
def test_a_file_that_does_not_load_or_shrink_is_no_success(tiny: TinyFiles, tmp_path: Path, how: str) -> None:
    source = tiny.paths["tflite"]
    real = open_quantizer(source)

    class Broken:
        path, layers, batch, input_shape = real.path, real.layers, real.batch, real.input_shape

        def calibrate(self, images: Images, method: str) -> int:
            return len(list(images))

        def write(self, path: Path, precision: str, float_layers: Collection[str] = ()) -> Written:
            content = source.read_bytes()
            path.write_bytes(content[: len(content) // 2] if how == "garbage" else content)
            return Written(1, 1)

        def layer_snr_db(self, path: Path, images: Images) -> dict[str, float]:
            return {}

    samples, checked = halves()
    expected = "does not run" if how == "garbage" else "did not shrink"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ParityError, match=expected):
        patch.setattr(quantizing, "open_quantizer", lambda path: Broken())
        quantize_artifact(
            source, tmp_path / "n.tflite", QuantizeOptions(), card=tiny.card, calibration=samples, check=checked
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fmt", ["onnx", "tflite"])
def test_a_demanded_layer_stays_float(tiny: TinyFiles, tmp_path: Path, fmt: str) -> None:
    samples, checked = halves()
    options = QuantizeOptions(float_layers=("project.conv",), latency=False, max_drop=5)
    quantized = quantize_artifact(
        tiny.paths[fmt], tmp_path / f"n.{fmt}", options, card=tiny.card, calibration=samples, check=checked
    )
    rows = {row["layer"]: row for row in quantized.to_dict()["quantization"]["layers"]}
    assert rows["project.conv"]["precision"] == "float"
    assert rows["project.conv"]["reason"] == "demanded"
    assert rows["pointwise.conv"]["precision"] == "int8"


def test_other_classes_are_judged_by_the_best_class(tiny: TinyFiles, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    data = embedded_sample()
    for index in range(20):
        place = folder / f"kind{index % 2}" / f"{index}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        data.image(index).save(place)
    from eamdeploy.data import open_dataset

    quantized = quantize_artifact(
        tiny.paths["onnx"],
        tmp_path / "n.onnx",
        QuantizeOptions(max_drop=20, latency=False),
        card=tiny.card,
        calibration=open_dataset(folder),
    )
    assert quantized.report.outcome.top1 is None
    assert any("classes are not the artifact's" in note for note in quantized.report.notes())


def test_the_artifact_on_disk_gives_the_top1_that_was_reported(tiny: TinyFiles, tmp_path: Path) -> None:
    from eamdeploy.inference.evaluate import evaluate

    samples, checked = halves()
    quantized = quantize_artifact(
        tiny.paths["tflite"],
        tmp_path / "n.tflite",
        QuantizeOptions(max_drop=5),
        card=tiny.card,
        calibration=samples,
        check=checked,
    )
    assert evaluate(quantized.path, checked).result.top1 == pytest.approx(quantized.report.outcome.top1)
    session = runtime_for(quantized.path).load(quantized.path, RuntimeOptions())
    scores = session.run(images(4))[0]
    session.close()
    assert len(np.unique(scores)) > 20  # the scores themselves are not eight-bit codes


def test_a_later_precision_joins_the_manifest(tiny: TinyFiles, tmp_path: Path) -> None:
    samples, checked = halves()
    for precision in ("int8", "fp16"):
        quantized = quantize_artifact(
            tiny.paths["onnx"],
            tmp_path / f"tiny-{precision}.onnx",
            replace(QuantizeOptions(latency=False, max_drop=5), precision=precision),
            card=tiny.card,
            calibration=samples,
            check=checked,
            manifest_name="tiny",
        )
    document = json.loads(quantized.manifest.read_text())
    assert [entry["precision"] for entry in document["artifacts"]] == ["int8", "fp16"]
    assert quantized.manifest.name == "tiny.manifest.json"


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["int8", "fp16", "int8-weights"])
def test_a_classifier_of_many_classes_loads(tmp_path: Path, precision: str) -> None:
    """Its bias is long enough to be worth storing small, and XNNPACK refuses a widened bias beside int8 weights."""
    spec = ArchSpec(width=0.25, classes=300, input_px=32)
    checkpoint = load_checkpoint(str(write_random(spec, tmp_path / "net.safetensors")))
    (artifact,) = export_checkpoint(checkpoint, tmp_path, ExportOptions(formats=("tflite",)), dataset=embedded_sample())
    samples, checked = halves()
    target = tmp_path / f"net-{precision}.tflite"
    options = QuantizeOptions(precision, max_drop=100)
    small = quantize_artifact(
        artifact.path, target, options, card=card_of(checkpoint), calibration=samples, check=checked
    )
    session = runtime_for(target).load(target, RuntimeOptions())
    assert session.run(np.zeros((1, 3, 32, 32), np.float32))[0].shape == (1, 300)
    session.close()
    if precision == "fp16":
        assert small.report.size_ratio <= 0.53
    # what is fast in float may have no int8 form
    assert any("quantize the checkpoint" in note for note in small.report.notes()) == (precision == "int8")
