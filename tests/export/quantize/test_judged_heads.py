"""The check of a quantized file counts the answers of its head, not the largest of whatever comes out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from PIL.Image import Image

from eamdeploy.base.errors import ParityError, UsageError
from eamdeploy.data import embedded_sample, open_dataset
from eamdeploy.data.dataset import take
from eamdeploy.inference.foreign import foreign_card
from eamdeploy.inference.model_card import read_card
from eamdeploy.pipeline.quantize.check import QuantizationJudge
from eamdeploy.pipeline.quantize.options import QuantizeOptions
from eamdeploy.pipeline.quantize.run import _Work, quantize_artifact
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


def test_changed_answers_are_counted(tmp_path: Path) -> None:
    source = classifier(tmp_path / "net.onnx", "sigmoids", width=1)
    other = scaled(source, 0.5)
    expected = int((answers(source) != answers(other)).any(axis=1).sum())
    outcome = QuantizationJudge(DATA, foreign_card(source, PREPROCESSING, ("no", "yes"))).compare(source, other)
    assert (outcome.flips, outcome.top1) == (expected, None)
    assert expected > 10


def test_labels_are_judged_one_by_one(tmp_path: Path) -> None:
    """And not the sets of them, of which one in ten labels changes nearly every one."""
    source = classifier(tmp_path / "net.onnx", "sigmoids", width=10)
    other = scaled(source, 0.5)
    exact, rounded = answers(source), answers(other)
    outcome = QuantizationJudge(DATA, foreign_card(source, PREPROCESSING, DATA.classes, "multi-label")).compare(
        source, other
    )
    changed = 100 * (exact != rounded).sum() / (exact | rounded).sum()
    assert (outcome.flips, outcome.drop_points) == ((exact != rounded).any(axis=1).sum(), pytest.approx(changed))
    assert changed < 100 * outcome.flips / len(exact)


@pytest.mark.parametrize("knows", [True, False])
def test_labels_that_the_data_has_are_judged_by_precision(tmp_path: Path, knows: bool) -> None:
    """A shift of every score leaves their order, and so the precision, as it was; a file at chance is judged by its noise."""
    source = classifier(tmp_path / "net.onnx", "sigmoids", width=10)
    truth = answers(source) if knows else np.random.default_rng(0).random((len(DATA), 10)) < 0.5
    labelled = LabelledSample([tuple(np.flatnonzero(row).tolist()) for row in truth])
    judge = QuantizationJudge(labelled, foreign_card(source, PREPROCESSING, DATA.classes, "multi-label"))
    outcome = judge.compare(source, scaled(source, 0.5))
    if knows:
        assert (outcome.float_map, outcome.drop_points, outcome.warning) == (100.0, 0.0, None)
        assert outcome.labels_changed
    else:
        assert outcome.warning
        assert outcome.drop_points > 1


class LabelledSample:
    """The sample, of whose pictures each has several labels."""

    name, classes = "labelled", DATA.classes

    def __init__(self, sets: list[tuple[int, ...]]) -> None:
        self.label_sets = sets

    def __len__(self) -> int:
        return len(DATA)

    def label(self, index: int) -> int:
        return DATA.label(index)

    def image(self, index: int) -> Image:
        return DATA.image(index)


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
    quantized = quantize_artifact(source, tmp_path / "int8.onnx", options, card=card, calibration=DATA)
    assert read_card(quantized.path).head == card.head
    assert (answers(source, 0.4) != answers(quantized.path, 0.4)).mean() < 0.05


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


def test_a_file_whose_layers_all_stay_float_is_not_called_quantized(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It loses nothing, being the float file: the bound is not met by int8."""
    source = classifier(tmp_path / "net.onnx")
    card = foreign_card(source, PREPROCESSING, DATA.classes)
    options = QuantizeOptions(max_drop=1, calibration_images=20, check_images=20, latency=False)

    def drop(work: _Work, float_layers: tuple[str, ...]) -> float:
        return 0.0 if {*float_layers} >= {*work.quantizer.layers} else 5.0

    monkeypatch.setattr(_Work, "drop", drop)
    with pytest.raises(ParityError, match=r"loses too much accuracy .* 5\.00 points"):
        quantize_artifact(source, tmp_path / "int8.onnx", options, card=card, calibration=DATA)
    assert not (tmp_path / "int8.onnx").exists()


def test_every_layer_in_float_by_request_leaves_nothing_to_quantize(tmp_path: Path) -> None:
    source = classifier(tmp_path / "net.onnx")
    card = foreign_card(source, PREPROCESSING, DATA.classes)
    with pytest.raises(UsageError, match="there is no layer"):
        quantize_artifact(
            source, tmp_path / "int8.onnx", QuantizeOptions(float_layers=("none",)), card=card, calibration=DATA
        )
    options = QuantizeOptions(float_layers=("Conv_0", "Gemm_2"), latency=False)
    with pytest.raises(UsageError, match="nothing is left to quantize: all 2 layers"):
        quantize_artifact(source, tmp_path / "int8.onnx", options, card=card, calibration=DATA)
