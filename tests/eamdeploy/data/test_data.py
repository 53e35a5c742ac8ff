"""Readers of every layout, on files made here, and what they say of damaged ones."""

from __future__ import annotations

import gzip
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eamdeploy.base.errors import DataError
from eamdeploy.data import embedded_sample, open_dataset, open_images, sample_for
from eamdeploy.data.dataset import content_hash, take
from eamdeploy.data.formats.idx import FASHION_CLASSES


def write_cifar(folder: Path, hundred: bool = False) -> np.ndarray:
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    pixels = rng.integers(0, 256, (6, 3072), dtype=np.uint8)
    key = b"fine_labels" if hundred else b"labels"
    names = ["train", "test"] if hundred else ["data_batch_1", "data_batch_2", "test_batch"]
    for name in names:
        (folder / name).write_bytes(pickle.dumps({b"data": pixels, key: [0, 1, 2, 0, 1, 2]}, protocol=2))
    meta = {b"fine_label_names" if hundred else b"label_names": [b"ant", b"bee", b"cow"]}
    (folder / ("meta" if hundred else "batches.meta")).write_bytes(pickle.dumps(meta, protocol=2))
    return pixels


@pytest.mark.parametrize(
    ("name", "hundred", "training"), [("cifar-10-batches-py", False, 12), ("cifar-100-python", True, 6)]
)
def test_cifar_folders(tmp_path: Path, name: str, hundred: bool, training: int) -> None:
    pixels = write_cifar(tmp_path / name, hundred)
    data = open_dataset(tmp_path)
    assert (len(data), len(open_dataset(tmp_path / name, "train"))) == (6, training)
    assert data.classes == ("ant", "bee", "cow")
    assert data.label(5) == 2
    assert np.array_equal(np.asarray(data.image(3)).transpose(2, 0, 1).reshape(-1), pixels[3])


class EvilArray:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("evil"),))


def test_a_batch_that_is_another_pickle_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_cifar(tmp_path / "cifar-10-batches-py")
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps({b"data": EvilArray()}, protocol=2))
    with pytest.raises(DataError, match="test_batch"):
        open_dataset(tmp_path)
    assert not (tmp_path / "evil").exists()


def test_idx_files_plain_and_compressed(tmp_path: Path) -> None:
    pixels = np.arange(2 * 4 * 5, dtype=np.uint8)
    images = struct.pack(">4I", 0x803, 2, 4, 5) + pixels.tobytes()
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, 2) + bytes([3, 9]))
    data = open_dataset(tmp_path)
    assert [data.label(0), data.label(1)] == [3, 9]
    assert np.array_equal(np.asarray(data.image(1)).reshape(-1), pixels[20:])
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(images[:-1]))
    with pytest.raises(DataError, match="truncated"):
        open_dataset(tmp_path)


def write_tree(root: Path) -> None:
    for split in ("train", "val"):
        for index, name in enumerate(("cat", "dog")):
            for number in range(3):
                path = root / split / name / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (9, 7), (40 * number, 100 * index, 0)).save(path)


def test_image_tree_with_and_without_splits(tmp_path: Path) -> None:
    write_tree(tmp_path)
    data = open_dataset(tmp_path)
    assert (len(data), data.classes, data.key(4)) == (6, ("cat", "dog"), "dog/1.png")
    assert len(open_dataset(tmp_path / "train")) == 6


def test_an_image_that_is_no_image_is_named(tmp_path: Path) -> None:
    write_tree(tmp_path)
    (tmp_path / "val" / "cat" / "0.png").write_text("hello")
    with pytest.raises(DataError, match=r"0\.png.*no image"):
        open_dataset(tmp_path).image(0)


@pytest.mark.parametrize("what", ["missing", "file", "empty", "no-test-split"])
def test_folders_that_hold_no_data(tmp_path: Path, what: str) -> None:
    path = tmp_path / what
    if what == "file":
        path.write_text("x")
    elif what == "empty":
        path.mkdir()
    elif what == "no-test-split":
        write_tree(path)
        (path / "val").rename(path / "other")
    with pytest.raises(DataError, match=what):
        open_dataset(path)


def test_the_embedded_sample_is_balanced_and_only_for_its_classes() -> None:
    sample = embedded_sample()
    labels = [sample.label(index) for index in range(len(sample))]
    assert sorted(labels) == sorted(list(range(10)) * 20)
    assert sample_for(FASHION_CLASSES).classes == FASHION_CLASSES
    with pytest.raises(DataError, match="`data`"):
        sample_for(["a", "b"])


def test_take_is_balanced_and_stable() -> None:
    sample = embedded_sample()
    subset = take(sample, 30)
    labels = [subset.label(index) for index in range(30)]
    assert sorted(labels) == sorted(list(range(10)) * 3)
    assert [subset.key(i) for i in range(10)] == [take(sample, 10).key(i) for i in range(10)]


def test_content_hash_follows_pixels_not_storage(tmp_path: Path) -> None:
    image = embedded_sample().image(0)
    image.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as stored:
        assert content_hash(stored) == content_hash(image)
    assert content_hash(embedded_sample().image(1)) != content_hash(image)


def test_folders_that_are_no_classes_are_told_from_folders_without_images(tmp_path: Path) -> None:
    (tmp_path / "n01440764").mkdir()
    with pytest.raises(DataError, match="no images in the folder"):
        open_dataset(tmp_path, classes=("tench", "goldfish"))
    Image.new("RGB", (4, 4)).save(tmp_path / "n01440764" / "a.png")
    with pytest.raises(DataError, match=r"other names \(such as 'n01440764'\) than the classes \(such as 'tench'\)"):
        open_dataset(tmp_path, classes=("tench", "goldfish"))


def test_a_class_with_a_slash_is_a_folder_in_a_folder(tmp_path: Path) -> None:
    for name in ("trouser", "t-shirt/top"):
        (tmp_path / name).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(tmp_path / name / "a.png")
    data = open_images(tmp_path, ("t-shirt/top", "trouser"))
    assert data.classes == ("t-shirt/top", "trouser")
    assert sorted((data.key(index), data.label(index)) for index in range(len(data))) == [
        ("t-shirt/top/a.png", 0), ("trouser/a.png", 1),
    ]  # fmt: skip
    assert open_dataset(tmp_path).classes == ("t-shirt", "trouser")
