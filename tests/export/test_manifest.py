"""The manifest: follows its published schema, grows with formats, starts anew with another checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from eamdeploy.base.errors import UsageError
from eamdeploy.networks.architectures.network import Network
from export.manifest.document import ManifestSource, artifact_entry, manifest_schema, read_manifest, write_manifest
from export.planning.plan import Plan, plan_network
from export.planning.target import Target

PARITY = {"verdict": "passed", "data": "d", "images": 100, "outputs": [], "flips_above_rounding": 0}


@pytest.fixture(scope="module")
def source(small: Network) -> ManifestSource:
    return ManifestSource(
        "net",
        "net",
        checkpoint_sha256="a" * 64,
        architecture=small.spec.to_dict(),
        classes=("x", "y"),
        preprocessing={"size": 32},
    )


@pytest.fixture(scope="module")
def plan(small: Network) -> Plan:
    return plan_network(small, Target(), (3, 32, 32))


@pytest.fixture
def entry(tmp_path: Path, plan: Plan) -> Callable[[str], dict[str, object]]:
    def make(name: str, content: bytes = b"content") -> dict[str, object]:
        path = tmp_path / name
        path.write_bytes(content)
        form = path.suffix[1:]
        return artifact_entry(
            path, format=form, precision="fp32", input_layout="NCHW", plan=plan, parity=PARITY, versions={"onnx": "1"}
        )

    return make


def test_it_follows_the_published_schema(
    tmp_path: Path, source: ManifestSource, entry: Callable[[str], dict[str, object]]
) -> None:
    document = read_manifest(write_manifest(tmp_path, source, [entry("net.onnx")]))
    validator = jsonschema.Draft202012Validator(manifest_schema())
    validator.validate(document)
    layer = document["artifacts"][0]["plan"][0]
    assert layer["layer"] == "stem.conv"
    assert {refusal["lowering"] for refusal in layer["refusals"]} == {"matmul", "taps"}
    del document["artifacts"][0]["parity"]
    assert not validator.is_valid(document)


def test_another_format_joins_and_an_old_file_that_changed_leaves(
    tmp_path: Path, source: ManifestSource, entry: Callable[[str], dict[str, object]]
) -> None:
    write_manifest(tmp_path, source, [entry("net.onnx")])
    path = write_manifest(tmp_path, source, [entry("net.tflite")])
    assert [e["file"] for e in read_manifest(path)["artifacts"]] == ["net.onnx", "net.tflite"]
    (tmp_path / "net.onnx").write_bytes(b"something else")
    path = write_manifest(tmp_path, source, [entry("net.tflite")])
    assert [e["file"] for e in read_manifest(path)["artifacts"]] == ["net.tflite"]


def test_another_checkpoint_starts_anew(
    tmp_path: Path, source: ManifestSource, entry: Callable[[str], dict[str, object]]
) -> None:
    write_manifest(tmp_path, source, [entry("net.onnx")])
    path = write_manifest(tmp_path, replace(source, checkpoint_sha256="b" * 64), [entry("net.tflite")])
    assert [e["file"] for e in read_manifest(path)["artifacts"]] == ["net.tflite"]


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"name": "no version"})])
def test_a_damaged_manifest_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "net.manifest.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="damaged"):
        read_manifest(path)


def test_a_newer_manifest_asks_for_an_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "net.manifest.json"
    path.write_text(json.dumps({"schema_version": 99}))
    with pytest.raises(UsageError, match="upgrade"):
        read_manifest(path)
