"""A head turns outputs into classes in one way, is found from answers, and is asked for where those leave a doubt."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper
from PIL import Image

from eamdeploy.base.errors import UsageError
from eamdeploy.cli.main import main
from eamdeploy.data import embedded_sample
from eamdeploy.inference.evaluate import evaluate
from eamdeploy.inference.foreign import foreign_card
from eamdeploy.inference.head import KINDS, Head, parse_head
from eamdeploy.inference.predict import predict
from tests.eamdeploy.inference.classifiers import PREPROCESSING, SAID, classifier, matrix


@pytest.mark.parametrize(
    ("kind", "scores", "answers"),
    [
        ("logits", [[0.2, 3.0, -1.0]], [[1]]),
        ("probabilities", [[0.2, 0.1, 0.7]], [[2]]),
        ("sigmoid", [[0.31], [0.29]], [[1], [0]]),
        ("single-logit", [[-0.8], [-0.9]], [[1], [0]]),
        ("multi-label", [[0.31, 0.29, 0.9]], [[1, 0, 1]]),
        ("multi-label-logits", [[-0.8, -0.9, 2.0]], [[1, 0, 1]]),
        ("ids", [[7.0]], [[7]]),
    ],
)
def test_each_kind_answers_in_its_own_way(kind: str, scores: list[list[float]], answers: list[list[int]]) -> None:
    head = Head(kind, threshold=0.3)
    assert head.answers(np.array(scores)).tolist() == answers
    if not head.multi_label:
        assert head.ranking(np.array(scores)).argmax(axis=1).tolist() == [row[0] for row in answers]


@given(st.sampled_from(sorted(KINDS)), st.floats(0.01, 0.99), st.none() | st.text(min_size=1))
def test_a_head_survives_its_own_dictionary(kind: str, threshold: float, output: str | None) -> None:
    head = Head(kind, output, threshold)
    assert Head.from_dict(head.to_dict()) == head


def test_what_is_said_is_read_part_by_part() -> None:
    assert parse_head("sigmoid,threshold=0.3,output=score") == ("sigmoid", {"threshold": 0.3, "output": "score"})
    assert parse_head("output=scores") == (None, {"output": "scores"})
    for wrong in ("softmax", "logits,threshold=high", "logits,threshold=2", "logits,color=red", "", "logits,ids"):
        with pytest.raises(UsageError):
            parse_head(wrong)


@pytest.mark.parametrize(
    ("tail", "width", "kind", "classes"),
    [
        ("logits", 10, "logits", 10),
        ("probabilities", 10, "probabilities", 10),
        ("maps", 10, "logits", 10),
        ("sigmoids", 1, "sigmoid", 2),
    ],
)
def test_a_head_is_found_from_answers(tmp_path: Path, tail: str, width: int, kind: str, classes: int) -> None:
    card = foreign_card(classifier(tmp_path / "net.onnx", tail, width=width), PREPROCESSING, None)
    assert (card.head.kind, len(card.classes)) == (kind, classes)


@pytest.mark.parametrize(
    ("tail", "width", "head_text", "words"),
    [
        ("logits", 1, "single-logit", "one number an image, not always between 0 and 1.*single-logit"),
        ("sigmoids", 10, "multi-label", "do not sum to 1.*multi-label or logits"),
    ],
)
def test_a_doubt_is_a_question(tmp_path: Path, tail: str, width: int, head_text: str, words: str) -> None:
    path = classifier(tmp_path / "net.onnx", tail, width=width)
    with pytest.raises(UsageError, match=words):
        foreign_card(path, PREPROCESSING, None)
    assert foreign_card(path, PREPROCESSING, None, head_text).head.kind == head_text


def test_class_numbers_need_names(tmp_path: Path) -> None:
    path = classifier(tmp_path / "net.onnx", "ids")
    with pytest.raises(UsageError, match="class names are needed"):
        foreign_card(path, PREPROCESSING, None)
    assert foreign_card(path, PREPROCESSING, tuple("abcdefghij")).head == Head("ids")


def test_of_several_outputs_one_is_asked_for(tmp_path: Path) -> None:
    path = classifier(tmp_path / "net.onnx", extra=True)
    with pytest.raises(UsageError, match=r"backwards 16x10, logits 16x10; say it as the head: output=NAME"):
        foreign_card(path, PREPROCESSING, None)
    assert foreign_card(path, PREPROCESSING, None, "output=logits").head == Head("logits", "logits")
    with pytest.raises(UsageError, match="no output 'nowhere'"):
        foreign_card(path, PREPROCESSING, None, "output=nowhere")


@pytest.mark.parametrize("tail", ["logits", "probabilities", "maps", "ids"])
def test_accuracy_is_the_same_whatever_the_head(tmp_path: Path, tail: str) -> None:
    data = embedded_sample()
    card = foreign_card(classifier(tmp_path / "net.onnx", tail), PREPROCESSING, data.classes)
    images = PREPROCESSING.apply_batch(data.image(index) for index in range(len(data)))
    labels = np.array([data.label(index) for index in range(len(data))])
    expected = ((images.reshape(len(labels), -1) @ matrix(10)).argmax(axis=1) == labels).mean() * 100
    result = evaluate(card.path, data, card=card).result
    assert result.top1 == pytest.approx(expected)
    assert (result.top5 is None) == (tail == "ids")


def test_probabilities_are_not_put_through_softmax_again(tmp_path: Path) -> None:
    data = embedded_sample()
    picture = tmp_path / "picture.png"
    data.image(3).save(picture)
    probabilities = []
    for tail in ("logits", "probabilities"):
        card = foreign_card(classifier(tmp_path / f"{tail}.onnx", tail), PREPROCESSING, data.classes)
        (prediction,) = predict(card.path, [picture], card=card)
        probabilities.append([(row.label, pytest.approx(row.probability, abs=1e-5)) for row in prediction.top])
    assert probabilities[0] == probabilities[1]
    assert probabilities[0][0][1].expected > 0.3


def test_a_single_score_is_two_classes_with_a_threshold(tmp_path: Path) -> None:
    data = embedded_sample()
    path, picture = classifier(tmp_path / "net.onnx", "sigmoids", width=1), tmp_path / "picture.png"
    data.image(5).save(picture)
    score = next(predict(path, [picture], card=foreign_card(path, PREPROCESSING, ("no", "yes")))).top[0].score
    for threshold, label in ((score - 0.01, "yes"), (score + 0.01, "no")):
        card = foreign_card(path, PREPROCESSING, ("no", "yes"), f"threshold={threshold}")
        (prediction,) = predict(path, [picture], card=card)
        assert (prediction.labels, prediction.top[0].label) == ((label,), label)
        chance = {row.label: row.probability for row in prediction.top}
        assert chance["yes"] == pytest.approx(score)


def test_labels_of_a_multi_label_head_are_all_that_are_above_the_threshold(tmp_path: Path) -> None:
    data = embedded_sample()
    path, picture = classifier(tmp_path / "net.onnx", "sigmoids"), tmp_path / "picture.png"
    data.image(0).save(picture)
    card = foreign_card(path, PREPROCESSING, data.classes, "multi-label")
    (prediction,) = predict(path, [picture], card=card, top=10)
    assert set(prediction.labels) == {row.label for row in prediction.top if (row.probability or 0) > 0.5}
    with pytest.raises(UsageError, match="multi-label classifier has no best class"):
        evaluate(path, data, card=card)


def test_a_picture_that_exif_would_turn_is_marked(tmp_path: Path) -> None:
    path = classifier(tmp_path / "net.onnx")
    exif = Image.Exif()
    exif[0x0112] = 6
    embedded_sample().image(0).save(tmp_path / "turned.png", exif=exif)
    predictions = {}
    for applied in (False, True):
        spec = replace(PREPROCESSING, exif=applied)
        (predictions[applied],) = predict(path, [tmp_path / "turned.png"], card=foreign_card(path, spec, None))
    assert (predictions[False].turned, predictions[True].turned) == (True, False)
    assert predictions[False].top[0].score != predictions[True].top[0].score


@pytest.mark.parametrize(("width", "kind"), [(10, "logits"), (1, None)])
def test_scores_of_a_linear_layer_are_no_probabilities_wherever_they_lie(
    tmp_path: Path, width: int, kind: str | None
) -> None:
    """All between 0 and 1 on the sample images, and nothing keeps them there."""
    path = classifier(tmp_path / "net.onnx", width=width)
    model = onnx.load(str(path))
    scale = next(tensor for tensor in model.graph.initializer if tensor.name == "w")
    scale.CopyFrom(numpy_helper.from_array(matrix(width) * np.float32(1e-3), "w"))
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0.5), "half"))
    gemm = next(node for node in model.graph.node if node.op_type == "Gemm")
    gemm.input.append("half")
    onnx.save(model, str(path))
    if kind is None:
        with pytest.raises(UsageError, match="not bound to that; say what it is as the head: single-logit or sigmoid"):
            foreign_card(path, PREPROCESSING, None)
    else:
        assert foreign_card(path, PREPROCESSING, None).head.kind == kind


def test_the_command_asks_for_a_head_and_takes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, path = embedded_sample(), classifier(tmp_path / "net.onnx", extra=True)
    (tmp_path / "labels.txt").write_text("\n".join(data.classes))
    words = [
        "evaluate",
        str(path),
        "--preprocessing",
        SAID,
        "--labels",
        str(tmp_path / "labels.txt"),
        "--limit",
        "40",
        "--json",
    ]

    def run(*more: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([*words, *more])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    code, out, err = run()
    assert (code, out) == (2, "")
    assert "several of its outputs could hold the classes" in err
    code, out, _ = run("--head", "output=logits")
    assert (code, json.loads(out)["n"]) == (0, 40)


@pytest.mark.parametrize("how", ["softmax", "mean"])
def test_an_answer_that_depends_on_the_neighbours_in_the_batch_is_refused(tmp_path: Path, how: str) -> None:
    """The softmax of another layout runs along the batch; so does a normalisation that was left in training mode."""
    path = classifier(tmp_path / "net.onnx")
    model = onnx.load(str(path))
    graph = model.graph
    if how == "softmax":
        graph.node.append(onnx.helper.make_node("Softmax", ["logits"], ["out"], axis=0))
    else:
        graph.node.append(onnx.helper.make_node("ReduceMean", ["logits"], ["mean"], axes=[0], keepdims=1))
        graph.node.append(onnx.helper.make_node("Sub", ["logits", "mean"], ["out"]))
    graph.output[0].name = "out"
    onnx.save(model, str(path))
    with pytest.raises(UsageError, match="does not answer image by image"):
        foreign_card(path, PREPROCESSING, embedded_sample().classes)
