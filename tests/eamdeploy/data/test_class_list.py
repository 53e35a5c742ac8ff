"""Class names mean the same whatever editor wrote them, and a name that two classes have is never guessed at."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from eamdeploy.base.errors import DataError
from eamdeploy.data.class_list import position_of, read_class_list
from eamdeploy.data.class_map import output_indices, read_class_map
from eamdeploy.data.formats.folder import FolderDataset
from eamdeploy.training.sources import open_splits

NAMES = ("tench", "gold fish", "straße")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("tail", ["", "\n", " \n\t\n\n"])
def test_a_list_is_read_whatever_wrote_it(tmp_path: Path, encoding: str, ends: str, tail: str) -> None:
    text = (" \n".join(NAMES) + tail).replace("\n", ends)
    (tmp_path / "labels.txt").write_bytes(text.encode(encoding))
    assert read_class_list(tmp_path / "labels.txt") == NAMES


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a\n\nb\n", "line 2 of 3 is empty"),
        (b"\n \n", "no labels"),
        (b"caf\xe9\n", "neither UTF-8 nor UTF-16"),
        ("a\nb\n".encode("utf-32-le"), "line 1 holds a zero character"),
        (b"a\nb\0c\n", "line 2 holds a zero character"),
    ],
)
def test_a_list_that_would_shift_names_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "labels.txt").write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_class_list(tmp_path / "labels.txt")


def test_a_letter_in_one_character_or_two_is_the_same_letter() -> None:
    """Folders that were copied from a Mac have their accents apart."""
    together, apart = "caf\u00e9", "cafe\u0301"
    assert output_indices((apart, "tea"), ("tea", together)) == (1, 0)
    assert position_of("cafe", (together, apart)) is None
    with pytest.raises(DataError, match="0 and 1"):
        position_of(together, (apart, together))


TWICE = ("crane", "heron", "crane")


def test_a_name_of_two_classes_is_refused_with_both_positions(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'crane' is the name of the classes 0 and 2"):
        output_indices(("crane", "heron", "stork"), TWICE)
    with pytest.raises(DataError, match="'crane' is the name of the classes 0 and 2"):
        output_indices(("n1",), TWICE, {"n1": "crane"})
    assert output_indices(("n1", "n2"), TWICE, {"n1": 2, "n2": "heron"}) == (2, 1)
    assert output_indices(TWICE, TWICE) == (0, 1, 2)
    for name in ("crane", "heron"):
        (tmp_path / name).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / name / "a.png")
    with pytest.raises(DataError, match="0 and 2"):
        FolderDataset(tmp_path, TWICE)
    assert position_of("heron", TWICE) == 1


def test_a_map_that_names_a_folder_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "map.json").write_bytes(b'\xef\xbb\xbf{"a": 1, "a": 2}')
    with pytest.raises(DataError, match=r"names 'a' twice .*as 1 and as 2"):
        read_class_map(tmp_path / "map.json")


@given(st.permutations(["dog", "cat", "eel", "ant"]))
@settings(max_examples=10, deadline=None)
def test_training_goes_on_with_the_networks_order_of_classes(
    tmp_path_factory: pytest.TempPathFactory, classes: list[str]
) -> None:
    root = tmp_path_factory.mktemp("data")
    for split in ("train", "test"):
        for name in ("ant", "cat", "dog", "eel"):
            (root / split / name).mkdir(parents=True)
            Image.new("L", (4, 4)).save(root / split / name / "a.png")
    for data in open_splits("imagefolder", root, tuple(classes)):
        assert tuple(data.classes) == tuple(classes)
        assert {data.key(i).split("/")[0]: classes[data.label(i)] for i in range(len(data))} == {n: n for n in classes}


def test_training_on_other_classes_is_refused_or_mapped(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in ("n01", "n02"):
            (tmp_path / split / name).mkdir(parents=True)
            Image.new("L", (4, 4)).save(tmp_path / split / name / "a.png")
    with pytest.raises(DataError, match="no class 'n01'"):
        open_splits("imagefolder", tmp_path, ("tench", "eel"))
    training, test = open_splits("imagefolder", tmp_path, ("tench", "eel"), {"n01": "eel", "n02": 0})
    assert [training.label(0), training.label(1)] == [test.label(0), test.label(1)] == [1, 0]
    assert tuple(training.classes) == ("tench", "eel")
