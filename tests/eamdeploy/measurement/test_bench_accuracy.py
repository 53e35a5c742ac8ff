"""Accuracy on a device: exact inputs, fixed order, resumed after a lost link."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from devices.runner import inference
from devices.session.run import BoardSession
from devices.transports.local import LocalTransport
from eamdeploy.base.errors import BoardUnreachable, DataError, MeasurementError, UsageError
from eamdeploy.base.progress import SILENT
from eamdeploy.data import embedded_sample
from eamdeploy.inference.evaluate import evaluate
from eamdeploy.inference.foreign import foreign_card
from eamdeploy.measurement import expand
from eamdeploy.measurement.accuracy import measure as accuracy
from eamdeploy.measurement.accuracy.images import prepare_images
from export.exporter.registry import get_exporter
from runtimes.readers.metadata import read_metadata
from tests.devices.board_server import BoardServer
from tests.eamdeploy.inference.classifiers import PREPROCESSING, classifier
from tests.recorded_progress import RecordedProgress
from tests.runtimes import tiny_models


@pytest.fixture
def case(artifacts):
    return expand([artifacts[0] / "tiny.onnx"])[0]


@pytest.fixture
def images(case, pictures):
    return prepare_images(case.metadata, pictures, None, case.artifact)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(accuracy, "_MOST_IMAGES", 25)  # 120 images: five shards


def expected(artifacts, images):
    inputs = images.preprocessing.normalize(images.pixels).transpose(0, 3, 1, 2)
    return tiny_models.reference(artifacts[1], inputs)


async def on(transport, case, images, progress=SILENT, **options):
    async with BoardSession(transport) as session:
        return await accuracy.run_on_device(session, case, images, progress=progress, **options)


@pytest.mark.parametrize("name", ["tiny.onnx", "tiny.tflite"])
def test_the_boards_outputs_are_those_of_the_artifact_image_by_image(artifacts, pictures, name, tmp_path):
    case = expand([artifacts[0] / name])[0]
    images = prepare_images(case.metadata, pictures, None, case.artifact)
    done = asyncio.run(on(LocalTransport(), case, images, root=tmp_path))
    reference = expected(artifacts, images)
    np.testing.assert_allclose(done.outputs, reference, rtol=1e-4, atol=1e-4)
    result = accuracy.score(done.outputs, images, accuracy.run_on_host(case, images))
    right = reference.argmax(axis=1) == images.labels
    assert result.n == 120
    assert result.top1 == pytest.approx(100 * right.mean())
    assert result.flips == 0
    assert result.top5 is None
    assert sum(count for _, _, count in result.confused) == 120
    assert [sum(count for true, _, count in result.confused if true == index) for index in range(3)] == [40, 40, 40]
    assert sum(count for true, predicted, count in result.confused if true == predicted) == right.sum()
    assert int(result.correct, 16).bit_count() == right.sum()


def test_the_order_depends_on_the_content_alone(case, pictures, tmp_path):
    renamed = tmp_path / "renamed"
    for name in tiny_models.CLASSES:
        (renamed / "test" / name).mkdir(parents=True)
        for number, path in enumerate(sorted((pictures / "test" / name).iterdir(), reverse=True)):
            Image.open(path).save(renamed / "test" / name / f"x{number:03}.bmp")
    first = prepare_images(case.metadata, pictures, None, case.artifact)
    other = prepare_images(case.metadata, renamed, None, case.artifact)
    np.testing.assert_array_equal(first.pixels, other.pixels)
    np.testing.assert_array_equal(first.labels, other.labels)
    assert first.digest == other.digest
    assert first.identity == other.identity
    fewer = prepare_images(case.metadata, pictures, 30, case.artifact)
    assert fewer.identity != first.identity
    assert len(fewer) == 30
    assert np.bincount(fewer.labels).tolist() == [10, 10, 10]


def test_artifacts_of_other_input_sizes_see_the_same_images_in_the_same_order(case, pictures):
    size = case.metadata.preprocessing["size"]
    doubled = replace(case.metadata, preprocessing={**case.metadata.preprocessing, "size": 2 * size})
    first = prepare_images(case.metadata, pictures, None, case.artifact)
    other = prepare_images(doubled, pictures, None, case.artifact)
    assert first.digest != other.digest
    assert first.identity == other.identity
    np.testing.assert_array_equal(first.labels, other.labels)
    back = other.pixels.reshape(len(other), size, 2, size, 2, -1).mean(axis=(2, 4))
    apart = [np.abs(back - picture).mean(axis=(1, 2, 3)) for picture in first.pixels.astype(float)]
    assert np.argmin(apart, axis=1).tolist() == list(range(len(first)))


def test_the_board_prepares_bit_for_bit_like_the_host(images):
    scale, shift = images.scale_and_shift
    board = inference.normalize(images.pixels, scale, shift)
    host = np.stack([images.preprocessing.apply(Image.fromarray(pixels)) for pixels in images.pixels])
    assert board.tobytes() == host.tobytes()


def test_a_board_that_prepares_differently_is_found_out(case, images, tmp_path, monkeypatch):
    monkeypatch.setattr(accuracy, "_digest", lambda *_: "another")
    with pytest.raises(MeasurementError, match="not bit for bit"):
        asyncio.run(on(LocalTransport(), case, images, root=tmp_path))


def test_a_lost_link_costs_one_shard_and_the_rest_is_not_run_again(artifacts, case, images, tmp_path):
    shard_folder = tmp_path / "kept"

    async def scenario():
        async with BoardServer(tmp_path / "pi") as board:

            def cut_after_two(share):
                if share == 50 / 120:
                    board.cut()

            first = board.transport(python=(sys.executable,))
            with pytest.raises(BoardUnreachable):
                await on(first, case, images, root=shard_folder, reach=cut_after_two)
            await first.close()
            assert len(list(shard_folder.rglob("shard-*.npy"))) == 2

            progress = RecordedProgress()
            second = board.transport(python=(sys.executable,))
            done = await on(second, case, images, root=shard_folder, progress=progress)
            await second.close()
            return done, progress.sentences

    done, sentences = asyncio.run(scenario())
    np.testing.assert_allclose(done.outputs, expected(artifacts, images), rtol=1e-4, atol=1e-4)
    assert done.resumed == 50
    assert any("going on after 50 images" in sentence for sentence in sentences)
    assert list(shard_folder.rglob("shard-*.npy")) == []  # complete: nothing stale for the next time


def test_what_was_kept_for_other_settings_or_another_artifact_is_not_used(artifacts, pictures, tmp_path):
    from dataclasses import replace

    from eamdeploy.measurement.accuracy.progress_store import ShardStore

    case = expand([artifacts[0] / "tiny.onnx"])[0]
    images = prepare_images(case.metadata, pictures, None, case.artifact)
    other = replace(case, options=replace(case.options, threads=2))

    async def keys():
        async with BoardSession(LocalTransport()) as session:
            return [accuracy._key(session, each, images, "onnxruntime 1") for each in (case, other)] + [
                accuracy._key(session, case, images, "onnxruntime 2")
            ]

    assert len(set(asyncio.run(keys()))) == 3
    store = ShardStore("k", tmp_path)
    store.save(0, np.zeros((4, 3), np.float32))
    assert store.load(0, 5) is None  # another size
    assert store.load(0, 4).shape == (4, 3)
    (tmp_path / "k" / "shard-00001.npy").write_bytes(b"cut off")
    assert store.load(1, 4) is None


def test_data_that_does_not_fit_is_refused_in_words(artifacts, pictures, tmp_path):
    folder, _ = artifacts
    foreign = folder / "slower.onnx"
    with pytest.raises(UsageError, match="does not say how its images are prepared"):
        prepare_images(read_metadata(foreign), pictures, None, foreign)
    tiny = folder / "tiny.onnx"
    with pytest.raises(DataError, match=r"no data was given.*`data`"):
        prepare_images(read_metadata(tiny), None, None, tiny)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "pets" / name / "a.png")
    with pytest.raises(DataError):
        prepare_images(read_metadata(tiny), tmp_path / "pets", None, tiny)


@pytest.mark.parametrize(("tail", "head_text"), [("logits", "output=logits"), ("ids", "ids,output=out")])
def test_the_output_that_holds_the_classes_is_counted(tmp_path, tail, head_text):
    """Its first output is another one; a file that carries its head needs no word about it."""
    data = embedded_sample()
    path = classifier(tmp_path / "net.onnx", tail, extra=True)
    card = foreign_card(path, PREPROCESSING, data.classes, head_text)
    document = {"schema_version": 1, "classes": list(card.classes), "preprocessing": card.preprocessing.to_dict()}
    get_exporter("onnx").attach_metadata(path, {**document, "head": card.head.to_dict(), "format": "onnx"})
    case = expand([path])[0]
    images = prepare_images(case.metadata, None, 40, path)
    done = asyncio.run(on(LocalTransport(), case, images, root=tmp_path / "store"))
    result = accuracy.score(done.outputs, images, accuracy.run_on_host(case, images))
    assert result.flips == 0
    assert result.top1 == pytest.approx(evaluate(path, limit=40).result.top1)
    assert (result.top5 is None) == (tail == "ids")
