"""Accuracy counts what it says, on real files, whatever runs the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from eamdeploy.base.errors import DataError, MeasurementError
from eamdeploy.cli.main import main
from eamdeploy.data import embedded_sample, open_dataset
from eamdeploy.data.formats.idx import FASHION_CLASSES
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.inference.evaluate import evaluate
from eamdeploy.networks.checkpoint import load_checkpoint, save_checkpoint
from eamdeploy.networks.random_init import random_network
from eamdeploy.networks.spec import ArchSpec

SPEC = ArchSpec(width=0.25, input_px=32, classes=10, in_channels=1)
PREPROCESSING = {"size": 32, "resize": None, "mean": [0.5], "std": [0.5], "channels": 1, "interpolation": "bilinear"}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "net.safetensors"
    save_checkpoint(path, random_network(SPEC), preprocessing=PREPROCESSING, classes=FASHION_CLASSES)
    return path


def scores_by_hand(checkpoint: Path, images: list[Image.Image]) -> np.ndarray:
    loaded = load_checkpoint(checkpoint)
    prepared = Preprocessing.from_dict(loaded.preprocessing).apply_batch(images)
    with torch.inference_mode():
        return loaded.network(torch.from_numpy(prepared)).numpy()


def test_top1_and_top5_are_those_of_a_count_by_hand(checkpoint: Path) -> None:
    data = embedded_sample()
    scores = scores_by_hand(checkpoint, [data.image(index) for index in range(len(data))])
    labels = np.array([data.label(index) for index in range(len(data))])
    ranks = (scores > scores[np.arange(len(labels)), labels][:, None]).sum(axis=1)
    result = evaluate(checkpoint).result
    assert (result.n, result.data) == (200, "fashion-mnist-sample")
    assert result.top1 == pytest.approx(100 * (ranks < 1).mean())
    assert result.top5 == pytest.approx(100 * (ranks < 5).mean())
    assert result.top1 < result.top5 < 100


def write_tree(folder: Path, classes: tuple[str, ...], count: int = 2) -> Path:
    generator = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for index in range(count):
            pixels = generator.integers(0, 255, (20, 30), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index}.png")
    return folder


def test_folders_in_another_order_keep_their_labels(checkpoint: Path, tmp_path: Path) -> None:
    """The tree's order is the alphabet's, the network's is its own; 'Ankle boot' is first in one and last in the other."""
    tree = write_tree(tmp_path / "tree", tuple(name.replace("/", " or ") for name in FASHION_CLASSES))
    data = open_dataset(tree)
    renamed = {name: name.replace(" or ", "/") for name in data.classes}
    scores = scores_by_hand(checkpoint, [data.image(index) for index in range(len(data))])
    expected_labels = [FASHION_CLASSES.index(renamed[data.classes[data.label(index)]]) for index in range(len(data))]
    evaluation = evaluate(checkpoint, data, class_map=renamed)
    assert evaluation.result.top1 == pytest.approx(100 * (scores.argmax(axis=1) == expected_labels).mean())
    assert evaluation.covered == 10


def test_images_that_do_not_decode_are_counted_and_left_out(checkpoint: Path, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", ("a", "b"))
    (tree / "a" / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
    evaluation = evaluate(checkpoint, open_dataset(tree), class_map={"a": 0, "b": "bag"})
    assert evaluation.skipped == ("a/broken.jpg",)
    assert (evaluation.result.n, evaluation.covered) == (4, 2)


def test_not_one_image_that_decodes_is_an_error(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "tree" / "a").mkdir(parents=True)
    (tmp_path / "tree" / "a" / "broken.jpg").write_bytes(b"nothing")
    with pytest.raises(DataError, match="none of the images decodes"):
        evaluate(checkpoint, open_dataset(tmp_path / "tree"), class_map={"a": 0})


def test_a_network_that_answers_nan_has_no_accuracy(tmp_path: Path) -> None:
    network = random_network(SPEC)
    with torch.no_grad():
        network.classifier.bias[3] = float("nan")
    path = tmp_path / "nan.safetensors"
    save_checkpoint(path, network, preprocessing=PREPROCESSING, classes=FASHION_CLASSES)
    with pytest.raises(MeasurementError, match="NaN"):
        evaluate(path, limit=4)


def test_fewer_than_six_classes_have_no_top5(tmp_path: Path) -> None:
    path = tmp_path / "two.safetensors"
    spec = replace(SPEC, classes=2)
    save_checkpoint(path, random_network(spec), preprocessing=PREPROCESSING, classes=("a", "b"))
    evaluation = evaluate(path, open_dataset(write_tree(tmp_path / "tree", ("a", "b"))))
    assert (evaluation.result.top5, evaluation.result.n) == (None, 4)


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        captured = capsys.readouterr()
        return (ended.value.code if isinstance(ended.value.code, int) else 0), captured.out, captured.err

    return call


def test_the_command_prints_one_document(checkpoint: Path, run: Run) -> None:
    code, out, _ = run("evaluate", checkpoint, "--limit", 30, "--json")
    document = json.loads(out)
    assert (code, document["n"], document["skipped"]) == (0, 30, [])
    assert document["top1"] == pytest.approx(evaluate(checkpoint, limit=30).result.top1)


def test_other_classes_are_one_sentence_and_exit_2(checkpoint: Path, run: Run, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", ("n01440764", "n02102040"))
    code, out, err = run("evaluate", checkpoint, "--data", tree)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "--class-map" in err
    mapping = tmp_path / "map.json"
    mapping.write_text('{"n01440764": 0, "n02102040": 1}')
    code, out, _ = run("evaluate", checkpoint, "--data", tree, "--class-map", mapping)
    assert code == 0
    assert "on 4 images of tree" in " ".join(out.split())
