"""What a user says of somebody's classifier is written into its file once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from eamdeploy.base.errors import UsageError
from eamdeploy.inference.model_card import read_card
from eamdeploy.pipeline.attach import attach
from export.onnx.graph import foreign

PREPROCESSING = '{"size": 8, "normalize": "imagenet"}'


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """A pooled linear classifier of three classes, by nobody in particular."""
    weight = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weight"], ["scores"]),
        ],
        "theirs",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(weight, "weight")],
    )
    path = tmp_path / "theirs.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def test_later_commands_need_not_be_told(classifier: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("a\nb\nc\n", encoding="utf-8")
    with pytest.raises(UsageError, match="was not made by eamdeploy"):
        read_card(classifier)
    before = classifier.read_bytes()
    copy = tmp_path / "said.onnx"
    attach(classifier, copy, preprocessing=PREPROCESSING, labels=labels, head="logits")
    assert classifier.read_bytes() == before
    card = read_card(copy)
    assert card.classes == ("a", "b", "c")
    assert card.preprocessing.size == 8
    model = onnx.load(copy)
    assert foreign(model)
    assert model.graph == onnx.load(classifier).graph
    attach(copy, preprocessing=PREPROCESSING, head="probabilities")
    assert read_card(copy).head.kind == "probabilities"


def test_what_does_not_fit_is_refused(classifier: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("a\nb\n", encoding="utf-8")
    with pytest.raises(UsageError, match="2 labels were given for 3 classes"):
        attach(classifier, preprocessing=PREPROCESSING, labels=labels, head="logits")
    with pytest.raises(UsageError, match=r"give an \.onnx or a \.tflite file"):
        attach(tmp_path / "net.mnn", preprocessing=PREPROCESSING)


def test_what_is_attached_again_keeps_the_precision(classifier: Path) -> None:
    from export.exporter.registry import get_exporter
    from runtimes.readers.metadata import read_metadata

    attach(classifier, preprocessing=PREPROCESSING)
    get_exporter("onnx").attach_metadata(classifier, {**read_metadata(classifier).raw, "precision": "int8"})
    attach(classifier, preprocessing=PREPROCESSING)
    assert read_metadata(classifier).raw["precision"] == "int8"
