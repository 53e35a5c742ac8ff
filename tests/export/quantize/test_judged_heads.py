"""The check of a quantized file counts the answers of its head, not the largest of whatever comes out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from eamdeploy.data import embedded_sample, open_dataset
from eamdeploy.data.dataset import take
from eamdeploy.inference.foreign import foreign_card
from eamdeploy.inference.model_card import read_card
from eamdeploy.pipeline.quantize.check import QuantizationJudge
from eamdeploy.pipeline.quantize.options import QuantizeOptions
from eamdeploy.pipeline.quantize.run import quantize_artifact
from runtimes.protocol import RuntimeOptions
from runtimes.registry import get_runtime
from tests.eamdeploy.inference.classifiers import PREPROCESSING, classifier

DATA = embedded_sample()


def scaled(path: Path, factor: float) -> Path:
    """A copy whose score is shifted, so that some answers of one sigmoid change and no argmax of one column can."""
    model = onnx.load(str(path))
    model.graph.initializer.append(numpy_helper.from_array(np.float32(factor), "shift"))
    model.graph.node.insert(3, helper.make_node("Add", ["logits", "shift"], ["shifted"]))
    model.graph.node[4].input[0] = "shifted"
    target = path.with_name("shifted.onnx")
    onnx.save(model, str(target))
    return target


def answers(path: Path, threshold: float = 0.5) -> np.ndarray:
    images = PREPROCESSING.apply_batch(DATA.image(index) for index in range(len(DATA)))
    session = get_runtime("onnxruntime").load(path, RuntimeOptions())
    return np.asarray(session.run(images)[0]) > threshold


@pytest.mark.parametrize(("width", "said", "labels"), [(1, None, ("no", "yes")), (10, "multi-label", DATA.classes)])
def test_changed_answers_are_counted(tmp_path: Path, width: int, said: str | None, labels: tuple[str, ...]) -> None:
    source = classifier(tmp_path / "net.onnx", "sigmoids", width=width)
    other = scaled(source, 0.5)
    wanted = int((answers(source) != answers(other)).any(axis=1).sum())
    outcome = QuantizationJudge(DATA, foreign_card(source, PREPROCESSING, labels, said)).compare(source, other)
    assert (outcome.flips, outcome.top1) == (wanted, None)
    assert wanted > 10


def test_the_output_that_was_named_is_judged(tmp_path: Path) -> None:
    source = classifier(tmp_path / "net.onnx", extra=True)
    other = classifier(tmp_path / "other.onnx", extra=True, seed=1)
    card = foreign_card(source, PREPROCESSING, DATA.classes, "output=logits")
    named = QuantizationJudge(DATA, card).compare(source, other)
    alone = QuantizationJudge(DATA, foreign_card(classifier(tmp_path / "one.onnx"), PREPROCESSING, DATA.classes))
    same = alone.compare(tmp_path / "one.onnx", classifier(tmp_path / "two.onnx", seed=1))
    assert named == same
    assert named.flips > 20


def test_a_single_score_has_noise_over_the_images(tmp_path: Path) -> None:
    source = classifier(tmp_path / "net.onnx", "sigmoids", width=1)
    judge = QuantizationJudge(take(DATA, 50), foreign_card(source, PREPROCESSING, ("no", "yes")))
    assert 0 < judge.score_noise(source, scaled(source, 0.5), 16) < 10


def test_the_quantized_file_carries_the_head(tmp_path: Path) -> None:
    source = classifier(tmp_path / "net.onnx", "sigmoids")
    card = foreign_card(source, PREPROCESSING, DATA.classes, "multi-label,threshold=0.4")
    options = QuantizeOptions(max_drop=40, calibration_images=30, check_images=60, latency=False)
    made = quantize_artifact(source, tmp_path / "int8.onnx", options, card=card, calibration=DATA)
    assert read_card(made.path).head == card.head
    assert (answers(source, 0.4) != answers(made.path, 0.4)).mean() < 0.05


def test_pictures_that_do_not_decode_are_named(tmp_path: Path) -> None:
    for index in range(12):
        folder = tmp_path / "data" / ("a", "b")[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        DATA.image(index).save(folder / f"{index}.png")
    (tmp_path / "data" / "a" / "broken.png").write_bytes(b"nothing")
    source = classifier(tmp_path / "net.onnx")
    judge = QuantizationJudge(open_dataset(tmp_path / "data"), foreign_card(source, PREPROCESSING, None))
    assert judge.compare(source, source).images == 12
    assert list(judge.skipped) == ["a/broken.png"]
