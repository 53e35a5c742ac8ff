"""Heads that top-1 does not fit: evaluate, bench and gate use what does, and give the same figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eamdeploy.base.errors import DataError
from eamdeploy.base.results import AccuracyResult, Provenance, Run, RunVerdict
from eamdeploy.data import embedded_sample, open_dataset
from eamdeploy.inference.evaluate import evaluate
from eamdeploy.inference.foreign import foreign_card
from eamdeploy.inference.model_card import ModelCard
from eamdeploy.measurement import expand
from eamdeploy.measurement.accuracy.images import prepare_images
from eamdeploy.measurement.accuracy.measure import run_on_host, score
from eamdeploy.runs.compare import compare_runs
from eamdeploy.runs.gate import Thresholds
from eamdeploy.runs.gate.judge import judge
from export.exporter.registry import get_exporter
from tests.eamdeploy.inference.classifiers import PREPROCESSING, classifier

COUNT = 60


def attached(path: Path, labels: tuple[str, ...], head: str) -> ModelCard:
    """The file's card, written into it."""
    card = foreign_card(path, PREPROCESSING, labels, head)
    document = {"schema_version": 1, "classes": list(labels), "preprocessing": PREPROCESSING.to_dict()}
    get_exporter("onnx").attach_metadata(path, {**document, "head": card.head.to_dict(), "format": "onnx"})
    return card


@pytest.fixture
def labelled(tmp_path: Path) -> tuple[ModelCard, Path]:
    """A multi-label classifier, and a table of pictures with about the labels that it says."""
    names = tuple("abcdefghij")
    path = classifier(tmp_path / "net.onnx", "sigmoids")
    card = attached(path, names, "multi-label")
    rng, sample, rows = np.random.default_rng(0), embedded_sample(), ["path,labels"]
    (tmp_path / "data").mkdir()
    case = expand([path])[0]
    for index in range(COUNT):
        sample.image(index).save(tmp_path / "data" / f"{index}.png")
    from runtimes.protocol import RuntimeOptions
    from runtimes.registry import get_runtime

    session = get_runtime(case.runtime).load(path, RuntimeOptions())
    inputs = PREPROCESSING.apply_batch(sample.image(index) for index in range(COUNT))
    scores = np.asarray(session.run(inputs)[0])
    truth = scores + 0.3 * rng.standard_normal(scores.shape) > 0.7
    rows += [f"{i}.png,{';'.join(np.asarray(names)[truth[i]])}" for i in range(COUNT)]
    (tmp_path / "data" / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    return card, tmp_path / "data"


def benched(card: ModelCard, data: Path) -> AccuracyResult:
    case = expand([card.path])[0]
    images = prepare_images(case.metadata, data, None, card.path)
    outputs = run_on_host(case, images)
    assert outputs is not None
    return score(outputs, images, outputs)


def test_evaluate_and_bench_give_one_map(labelled: tuple[ModelCard, Path]) -> None:
    card, data = labelled
    evaluation = evaluate(card.path, open_dataset(data))
    assert evaluation.multi_label
    metric = evaluation.result.metric
    assert metric is not None
    assert metric.name == "map"
    assert metric.chance + 10 < metric.value < 100
    assert evaluation.warning is None
    measured = benched(card, data)
    assert measured.metric is not None
    assert measured.metric.value == pytest.approx(metric.value)
    assert measured.top1 == pytest.approx(evaluation.result.top1)
    assert measured.flips == 0
    assert measured.title == "mAP"


def test_folders_do_not_fit_a_multi_label_head(labelled: tuple[ModelCard, Path], tmp_path: Path) -> None:
    card, _ = labelled
    for name in "abcdefghij":
        (tmp_path / "tree" / name).mkdir(parents=True)
        embedded_sample().image(0).save(tmp_path / "tree" / name / "0.png")
    with pytest.raises(DataError, match="has no best class"):
        prepare_images(expand([card.path])[0].metadata, tmp_path / "tree", None, card.path)


def test_one_score_for_two_classes_has_balanced_accuracy(tmp_path: Path) -> None:
    path = classifier(tmp_path / "net.onnx", "sigmoids", width=1)
    card = attached(path, ("no", "yes"), "sigmoid")
    sample = embedded_sample()
    for index in range(COUNT):
        place = tmp_path / "data" / ("yes" if index % 5 == 0 else "no") / f"{index}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        sample.image(index).save(place)
    result = evaluate(path, open_dataset(tmp_path / "data")).result
    assert result.confused is not None
    counts = {(true, answer): count for true, answer, count in result.confused}
    recalls = [counts.get((true, true), 0) / sum(n for (t, _), n in counts.items() if t == true) for true in (0, 1)]
    assert result.metric is not None
    assert result.metric.value == pytest.approx(50 * sum(recalls))
    assert benched(card, tmp_path / "data").metric is not None


def run(result: AccuracyResult, minute: int) -> Run:
    when = f"2026-11-22T12:{minute:02d}:00+00:00"
    return Run(
        id=f"run-{minute}",
        device="pi4",
        runtime="onnxruntime",
        threads=1,
        artifact="net.onnx",
        artifact_sha256="ab" * 32,
        provenance=Provenance("measured", "Pi", "onnxruntime", "1", when),
        verdict=RunVerdict("clean"),
        accuracy=result,
    )


def test_a_gate_judges_what_fits_the_head(labelled: tuple[ModelCard, Path]) -> None:
    card, data = labelled
    good = benched(card, data)
    assert good.metric is not None
    thresholds = Thresholds(latency=None, instructions=None, accuracy_points=3.0)
    (check,) = judge(compare_runs(run(good, 1), run(good, 2)), thresholds)
    assert check.passed
    assert check.name == "accuracy.map"
    bad = replace(good, metric=replace(good.metric, value=40.0, low=35.0, high=45.0))
    (check,) = judge(compare_runs(run(good, 1), run(bad, 2)), thresholds)
    assert check.failed
    plain = replace(good, metric=None)
    (check,) = judge(compare_runs(run(good, 1), run(plain, 2)), thresholds)
    assert check.unjudged
    assert "one is a mAP and the other a top-1" in check.message
