"""From a checkpoint to verified artifacts: what lies in the folder afterwards, also when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import onnx
import pytest
from onnx import numpy_helper

import eamdeploy.pipeline.export.run
from eamdeploy.base.errors import ParityError, UsageError
from eamdeploy.cli.app import build_app
from eamdeploy.networks.checkpoint import Checkpoint, load_checkpoint
from eamdeploy.networks.random_init import write_random
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.pipeline.export import ExportOptions, export_checkpoint
from export.manifest.document import manifest_schema, read_manifest
from export.onnx.exporter import OnnxExporter
from runtimes.readers.metadata import read_metadata
from tests.recorded_progress import RecordedProgress


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    spec = ArchSpec(width=0.25, input_px=32, classes=10, temperature=2.0)
    return load_checkpoint(write_random(spec, tmp_path_factory.mktemp("net") / "net.safetensors"))


def test_an_artifact_its_manifest_its_card_and_nothing_else(checkpoint: Checkpoint, tmp_path: Path) -> None:
    progress = RecordedProgress()
    (artifact,) = export_checkpoint(checkpoint, tmp_path / "out", ExportOptions(), progress=progress)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "net.card.md",
        "net.manifest.json",
        "net.onnx",
    ]
    assert [sentence.split()[0] for sentence in progress.sentences] == ["planning", "converting", "verifying"]
    manifest = read_manifest(artifact.manifest)
    jsonschema.validate(manifest, manifest_schema())
    (entry,) = manifest["artifacts"]
    assert entry["parity"]["verdict"] == "passed"
    assert entry["parity"]["images"] == 100
    assert entry["bytes"] == artifact.path.stat().st_size
    assert manifest["checkpoint"]["sha256"] == checkpoint.sha256
    metadata = read_metadata(artifact.path)
    assert metadata.checkpoint_sha256 == checkpoint.sha256
    assert metadata.classes == checkpoint.classes
    assert {row["layer"] for row in metadata.plan} == set(checkpoint.network.dynamic_layers())
    assert set(metadata.tensors["alpha"]) == set(checkpoint.network.dynamic_layers())


@pytest.mark.slow
def test_a_wrong_artifact_does_not_get_its_name(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exporter that changes one expert of one layer by 5 %: the layer is named, and an earlier artifact stays."""
    layer = "blocks.2.pointwise.conv"

    class Faulty(OnnxExporter):
        def __call__(self, *arguments: Any) -> Any:
            exported = super().__call__(*arguments)
            model = onnx.load(str(exported.path))
            (bank,) = [tensor for tensor in model.graph.initializer if tensor.name == f"{layer}.bank.weight"]
            values = numpy_helper.to_array(bank).copy()
            values[1] *= 1.05
            bank.CopyFrom(numpy_helper.from_array(values, bank.name))
            onnx.save(model, str(exported.path))
            return exported

    earlier = tmp_path / "net.onnx"
    earlier.write_bytes(b"an earlier artifact")
    monkeypatch.setattr(eamdeploy.pipeline.export.run, "get_exporter", lambda _: Faulty())
    with pytest.raises(ParityError, match=layer) as caught:
        export_checkpoint(checkpoint, tmp_path, ExportOptions(simplify=False))
    assert caught.value.exit_code == 3
    assert earlier.read_bytes() == b"an earlier artifact"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.onnx", "net.rejected.onnx"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (ExportOptions(formats=()), "no format"),
        (ExportOptions(formats=("onxx",)), "did you mean 'onnx'"),
        (ExportOptions(name="../elsewhere"), "no name for a file"),
        (ExportOptions(device="pi44"), "pi4"),
        (ExportOptions(lowering="agregate"), "did you mean 'aggregate'"),
        (ExportOptions(formats=("tflite",), batch="dynamic"), "fixed batch"),
        (ExportOptions(lowering="aggregate", batch=4), "batch is 4"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_be_is_said_before_any_work(
    checkpoint: Checkpoint, tmp_path: Path, options: ExportOptions, word: str
) -> None:
    with pytest.raises(UsageError, match=word):
        export_checkpoint(checkpoint, tmp_path / "out", options)
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.slow
def test_the_command_prints_one_document(checkpoint: Checkpoint, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    arguments = ["export", str(checkpoint.path), "--out", str(tmp_path), "--batch", "2", "--limit", "20", "--json"]
    result = CliRunner().invoke(build_app(), arguments)
    assert result.exit_code == 0, result.output
    (artifact,) = json.loads(result.stdout)["artifacts"]
    assert Path(artifact["path"]).is_file()
    assert artifact["parity"]["verdict"] == "passed"
    assert artifact["parity"]["images"] == 20
    assert artifact["batch"] == 2
    assert set(artifact["lowerings"]) == set(checkpoint.network.dynamic_layers())
    assert {"format", "precision", "bytes"} <= artifact.keys()
