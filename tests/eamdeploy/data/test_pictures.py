"""One reader for every picture: wide pixels, EXIF, all formats of Pillow, hidden files, and nothing left out in silence."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from eamdeploy.base.errors import DataError
from eamdeploy.data import open_dataset
from eamdeploy.data.dataset import take
from eamdeploy.data.formats.folder import FolderDataset
from eamdeploy.data.picture import eight_bits, is_turned, picture_suffixes, read_image
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.data.remarks import remarks_on

GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("a.png", GREY.astype(np.uint16) * 257),
        ("a.tif", GREY.astype(np.uint16) * 257),
        ("b.tif", GREY.astype(np.int32) * 257),
        ("c.tif", GREY.astype(np.float32) / 255),
        ("d.tif", GREY.astype(np.float32)),
        ("a.pgm", GREY.astype(np.uint16) * 257),
    ],
)
def test_wide_pixels_are_scaled_and_not_cut_off(tmp_path: Path, name: str, values: np.ndarray) -> None:
    Image.fromarray(values).save(tmp_path / name)
    pixels = np.asarray(read_image(tmp_path / name))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, GREY)


@given(st.lists(st.integers(0, 65535), min_size=4, max_size=4))
@settings(deadline=None)
def test_sixteen_bits_keep_their_order_and_their_ends(values: list[int]) -> None:
    wide = Image.fromarray(np.array([[*values, 0, 65535]], dtype=np.uint16))
    pixels = np.asarray(eight_bits(wide))[0].tolist()
    assert pixels[-2:] == [0, 255]
    assert all(abs(a - b / 257) <= 0.5 for a, b in zip(pixels, values, strict=False))


def test_grey_values_without_a_known_range_are_refused(tmp_path: Path) -> None:
    for index, values in enumerate(([[-3.0, 1.0]], [[0.0, 900.0]], [[float("nan"), 0.0]])):
        path = tmp_path / f"{index}.tif"
        Image.fromarray(np.array(values, dtype=np.float32)).save(path)
        with pytest.raises(DataError, match=rf"no known range .*{index}\.tif"):
            read_image(path)


def test_wide_pixels_mean_the_same_to_every_network(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "narrow.png")
    Image.fromarray(GREY.astype(np.uint16) * 257).save(tmp_path / "wide.png")
    for spec in (Preprocessing(16, None, (0.5,), (0.5,), 1), Preprocessing(16)):
        narrow, wide = (spec.apply(read_image(tmp_path / name)) for name in ("narrow.png", "wide.png"))
        np.testing.assert_array_equal(narrow, wide)
        # a picture that did not come through the reader
        np.testing.assert_array_equal(spec.apply(Image.open(tmp_path / "wide.png")), narrow)


def oriented(path: Path, value: int) -> None:
    image = Image.fromarray(np.tile(GREY[:, :, None], (1, 2, 3)))
    exif = Image.Exif()
    exif[0x0112] = value
    image.save(path, exif=exif)


@pytest.mark.parametrize("value", range(1, 9))
def test_exif_is_applied_where_the_preprocessing_says_so(tmp_path: Path, value: int) -> None:
    oriented(tmp_path / "a.png", value)
    image = read_image(tmp_path / "a.png")
    assert is_turned(image) == (value > 1)
    upright = np.asarray(Image.open(tmp_path / "a.png"))
    turns = {1: 0, 3: 2, 6: 3, 8: 1}
    applied = np.asarray(Preprocessing(16, exif=True).colours(image))
    assert applied.shape[:2] == ((16, 32) if value < 5 else (32, 16))
    if value in turns:
        np.testing.assert_array_equal(applied, np.rot90(upright, turns[value]))
    np.testing.assert_array_equal(np.asarray(Preprocessing(16).colours(image)), upright)


def test_the_choice_travels_and_is_silent_where_it_is_not_made() -> None:
    assert Preprocessing.from_dict(Preprocessing(16, exif=True).to_dict()).exif
    assert "exif" not in Preprocessing(16).to_dict()


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(GREY).save(path, format="PNG")
    return folder


def test_all_formats_count_and_what_does_not_is_named(tmp_path: Path) -> None:
    root = tree(tmp_path, "a/1.PNG", "a/2.jfif", "a/deep/3.webp", "b/4.JPG", "b/5.tga")
    for name in ("a/notes.txt", "b/labels.csv"):
        (root / name).write_text("x")
    data = FolderDataset(root)
    assert len(data) == 5
    assert data.left_out == ("a/notes.txt", "b/labels.csv")
    (remark,) = remarks_on(take(data, 3))
    assert "2 files" in remark
    assert "a/notes.txt, b/labels.csv" in remark
    assert {".jpg", ".jfif", ".avif", ".gif", ".jp2", ".qoi"} <= picture_suffixes()
    assert not {".eps", ".mpg", ".h5", ".txt"} & picture_suffixes()


def test_hidden_files_and_folders_are_neither_classes_nor_pictures(tmp_path: Path) -> None:
    root = tree(
        tmp_path, "a/1.png", "a/._1.png", "b/2.png", "b/.cache/3.png", ".ipynb_checkpoints/4.png", "__MACOSX/5.png",
        "a/Thumbs.db",
    )  # fmt: skip
    data = open_dataset(root)
    assert data.classes == ("a", "b")
    assert [data.key(index) for index in range(len(data))] == ["a/1.png", "b/2.png"]
    assert remarks_on(data) == []


def test_orientations_are_counted_once_and_said(tmp_path: Path) -> None:
    root = tree(tmp_path, "a/0.png", "a/1.png")
    oriented(root / "a" / "2.png", 6)
    data = FolderDataset(root)
    for index in [0, 1, 2, 2]:
        data.image(index)
    assert remarks_on(data) == [
        '1 of 3 pictures read carry an EXIF orientation, which is ignored ("exif": true in the preprocessing applies it)'
    ]
    assert "is applied" in remarks_on(data, exif=True)[0]


def test_a_folder_without_pictures_says_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "film.mp4").write_text("x")
    with pytest.raises(DataError, match=r"1 files have endings of no picture, such as a/film\.mp4"):
        open_dataset(tmp_path)


@given(st.permutations(["b/2.png", "a/1.png", "c/3.png", "a/0.png"]))
@settings(max_examples=10, deadline=None)
def test_the_order_of_writing_does_not_matter(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    data = FolderDataset(tree(tmp_path_factory.mktemp("tree"), *names))
    assert [data.key(index) for index in range(len(data))] == sorted(names)
    assert data.classes == ("a", "b", "c")


def test_folders_of_no_class_are_named(tmp_path: Path) -> None:
    root = tree(tmp_path, "t-shirt/top/1.png", "bag/2.png", "zebra/3.png")
    (root / "empty").mkdir()
    data = FolderDataset(root, ("t-shirt/top", "bag"))
    assert len(data) == 2
    assert remarks_on(data) == [f"1 folders in {root.name} are of no class and are left out: zebra"]
    assert remarks_on(FolderDataset(root)) == []


@pytest.mark.parametrize(("factor", "dark"), [(1, True), (16, True), (64, True), (257, False)])
def test_fewer_bits_in_sixteen_are_said(tmp_path: Path, factor: int, dark: bool) -> None:
    """A camera's 12 bits, stored in 16 as they are, make black pictures; one dark picture among others is none of those."""
    (tmp_path / "a").mkdir()
    for index in range(3):
        Image.fromarray(GREY.astype(np.uint16) * factor).save(tmp_path / "a" / f"{index}.png")
    data = FolderDataset(tmp_path)
    for index in range(len(data)):
        data.image(index)
    assert any("all 3 pictures of 16 bits" in text for text in remarks_on(data)) is dark
    Image.fromarray(GREY.astype(np.uint16) * 257).save(tmp_path / "a" / "bright.png")
    data = FolderDataset(tmp_path)
    for index in range(len(data)):
        data.image(index)
    assert remarks_on(data) == []


def test_a_link_to_nowhere_and_a_pipe_are_counted_as_left_out(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.fromarray(GREY).save(tmp_path / "a" / "0.png")
    (tmp_path / "a" / "1.png").symlink_to("nowhere.png")
    os.mkfifo(tmp_path / "a" / "2.png")
    data = FolderDataset(tmp_path)
    assert len(data) == 1
    assert data.left_out == ("a/1.png", "a/2.png")
