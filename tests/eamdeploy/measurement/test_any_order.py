"""Any order of files, folders and classes gives the same accuracy, on the same images, and the same verdicts."""

from __future__ import annotations

import random as randomness
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from eamdeploy.base.results import AccuracyResult
from eamdeploy.data import embedded_sample, open_images
from eamdeploy.inference.evaluate import evaluate
from eamdeploy.inference.foreign import foreign_card
from eamdeploy.measurement import expand
from eamdeploy.measurement.accuracy.images import prepare_images
from eamdeploy.measurement.accuracy.measure import run_on_host, score
from eamdeploy.parity import verify_against_artifact
from eamdeploy.runs.compare.proportions import compare_accuracy
from runtimes.readers.metadata import read_metadata
from tests.eamdeploy.inference.classifiers import PREPROCESSING, classifier
from tests.runtimes import tiny_models

PER_CLASS = 6
CLASSES = tuple(name.replace("/", "-") for name in embedded_sample().classes)


@contextmanager
def listed_in_any_order(random: randomness.Random) -> Iterator[None]:
    """What a file system gives: entries in an order of its own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("iterdir", "rglob", "glob"):
            real = getattr(Path, name)

            def shuffled(self: Path, *arguments: object, real: object = real) -> Iterator[Path]:
                names = list(real(self, *arguments))
                random.shuffle(names)
                return iter(names)

            patch.setattr(Path, name, shuffled)
        yield


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures of each class of the embedded sample."""
    root, sample = tmp_path_factory.mktemp("tree"), embedded_sample()
    for index in range(PER_CLASS * 10):
        folder = root / CLASSES[sample.label(index)]
        folder.mkdir(exist_ok=True)
        sample.image(index).save(folder / f"{index:03d}.png")
    return root


def in_class_order(folder: Path, order: list[int]) -> tuple[Path, tuple[str, ...]]:
    """The classifier of the tests with its classes in another order: its outputs and its names."""
    path = classifier(folder / "ordered.onnx")
    model = onnx.load(str(path))
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "w")
    weights.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(numpy_helper.to_array(weights)[:, order]), "w"))
    onnx.save(model, str(path))
    return path, tuple(CLASSES[index] for index in order)


def by_name(result: AccuracyResult, classes: tuple[str, ...]) -> dict[tuple[str, str], int]:
    return {(classes[true], classes[predicted]): count for true, predicted, count in result.confused or ()}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(10)), st.integers(1, PER_CLASS * 10), st.randoms(use_true_random=False))
def test_classes_and_files_in_any_order(
    tree: Path, tmp_path: Path, order: list[int], limit: int, random: randomness.Random
) -> None:
    first, names = in_class_order(tmp_path, list(range(10)))
    expected = evaluate(first, open_images(tree, names), limit=limit, card=foreign_card(first, PREPROCESSING, names))
    path, turned = in_class_order(tmp_path, order)
    with listed_in_any_order(random):
        evaluation = evaluate(
            path, open_images(tree, turned), limit=limit, card=foreign_card(path, PREPROCESSING, turned)
        )
    assert evaluation.result.n == limit
    assert (evaluation.result.top1, evaluation.result.top5) == (expected.result.top1, expected.result.top5)
    assert by_name(evaluation.result, turned) == by_name(expected.result, names)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(len(tiny_models.CLASSES))), st.integers(20, 120), st.randoms(use_true_random=False))
def test_runs_of_networks_with_other_class_orders_are_paired_image_by_image(
    pictures: Path, tmp_path: Path, order: list[int], limit: int, random: randomness.Random
) -> None:
    """Other names of the files, too: what an image is called is not what it is."""
    results = []
    for number, classes in enumerate((list(range(len(order))), order)):
        path = tmp_path / f"{number}.onnx"
        names = [tiny_models.CLASSES[index] for index in classes]
        tiny_models.write_onnx(path, metadata=tiny_models.metadata(classes=names))
        _reorder_last_layer(path, classes)
        case = expand([path])[0]
        with listed_in_any_order(random):
            images = prepare_images(case.metadata, pictures, limit, path)
        results.append(score(run_on_host(case, images), images, None))
    a, b = results
    assert a.images == b.images
    assert a.correct == b.correct
    difference = compare_accuracy(a, b)
    assert (difference.method, difference.gained, difference.lost) == ("paired", 0, 0)


def _reorder_last_layer(path: Path, order: list[int]) -> None:
    model = onnx.load(str(path))
    graph = model.graph
    (scores,) = graph.output
    for node in graph.node:
        node.output[:] = [f"{name}/before" if name == scores.name else name for name in node.output]
    graph.initializer.append(numpy_helper.from_array(np.array(order), "class_order"))
    graph.node.append(onnx.helper.make_node("Gather", [f"{scores.name}/before", "class_order"], [scores.name], axis=1))
    onnx.save(model, str(path))


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(("same", "other", "renamed")), st.randoms(use_true_random=False))
def test_files_given_in_any_order_get_their_own_verdicts(
    tree: Path, tmp_path: Path, order: list[str], random: randomness.Random
) -> None:
    reference = classifier(tmp_path / "reference.onnx")
    files = {name: classifier(tmp_path / f"{name}.onnx", seed=int(name == "other")) for name in order}
    card = foreign_card(reference, PREPROCESSING, CLASSES)
    with listed_in_any_order(random):
        reports = verify_against_artifact([files[name] for name in order], card, open_images(tree, CLASSES), limit=25)
    assert {name: report.verdict for name, report in zip(order, reports, strict=True)} == {
        "same": "passed",
        "renamed": "passed",
        "other": "failed",
    }


def test_artifacts_of_one_preprocessing_are_scored_by_their_own_heads(pictures: Path, tmp_path: Path) -> None:
    """One gives scores and the other class numbers: the images are the same, and what an answer means is not."""
    import asyncio

    from eamdeploy.measurement.accuracy.pictures import Pictures
    from eamdeploy.measurement.request import Request

    scores, ids = tmp_path / "scores.onnx", tmp_path / "ids.onnx"
    tiny_models.write_onnx(scores, metadata=tiny_models.metadata())
    tiny_models.write_onnx(ids, metadata=tiny_models.metadata(head={"kind": "ids"}))
    model = onnx.load(str(ids))
    (output,) = model.graph.output
    model.graph.node.append(onnx.helper.make_node("ArgMax", [output.name], ["best"], axis=1, keepdims=0))
    model.graph.output.append(onnx.helper.make_tensor_value_info("best", onnx.TensorProto.INT64, None))
    del model.graph.output[0]
    onnx.save(model, str(ids))
    assert read_metadata(ids).raw["head"] == {"kind": "ids"}

    async def both(order: list[Path]) -> dict[str, float]:
        picture_source = Pictures(Request(cases=tuple(expand(order)), data=pictures, limit=60))
        outputs = {}
        for case in picture_source.request.cases:
            images = await picture_source.of(case)
            assert images is not None
            outputs[case.artifact.name] = score(await picture_source.reference(case), images, None).top1
        await picture_source.close()
        return outputs

    scores_by_file = asyncio.run(both([scores, ids]))
    assert scores_by_file["scores.onnx"] == scores_by_file["ids.onnx"]
    assert scores_by_file == asyncio.run(both([ids, scores]))
