"""A table of pictures and labels: several, one or none for each, in the order of the model; wrong ones are refused by the line."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from eamdeploy.base.errors import DataError
from eamdeploy.data import open_dataset, open_images
from eamdeploy.data.dataset import Subset, label_sets, take

ROWS = ("a.png,cat;sofa", "sub/b.png,", "c.png,dog ; cat", '"d,1.png",dog')


def table(folder: Path, *rows: str, head: str = "path,labels") -> Path:
    for name in ("a.png", "sub/b.png", "c.png", "d,1.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (len(name), 0, 0)).save(folder / name)
    path = folder / "labels.csv"
    path.write_text("\n".join((head, *rows)) + "\n", encoding="utf-8")
    return path


def test_labels_are_sets_in_the_order_of_the_names(tmp_path: Path) -> None:
    path = table(tmp_path, *ROWS)
    for place in (path, tmp_path):
        data = open_dataset(place)
        assert data.classes == ("cat", "dog", "sofa")
        assert label_sets(data) == [(0, 2), (), (0, 1), (1,)]
        assert data.image(1).getpixel((0, 0)) == (len("sub/b.png"), 0, 0)
        assert data.key(3) == "d,1.png"


def test_a_table_lies_in_the_folder_of_a_split(tmp_path: Path) -> None:
    table(tmp_path / "test", *ROWS)
    assert len(open_dataset(tmp_path, "test")) == 4


def test_labels_follow_the_models_order(tmp_path: Path) -> None:
    data = open_images(table(tmp_path, *ROWS), ("sofa", "bird", "dog", "cat"))
    assert data.classes == ("sofa", "bird", "dog", "cat")
    assert label_sets(data) == [(0, 3), (), (2, 3), (2,)]
    with pytest.raises(DataError, match=r"the data's labels are not the model's.*it has 'sofa'"):
        open_dataset(tmp_path, classes=("cat", "dog"))


def test_parts_keep_their_labels_and_are_always_the_same(tmp_path: Path) -> None:
    data = open_dataset(table(tmp_path, *ROWS))
    assert label_sets(Subset(data, [3, 0])) == [(1,), (0, 2)]
    few = take(data, 3)
    # one image of those whose first label is cat, one of dog, one of none
    assert label_sets(few) == [(0, 2), (1,), ()]


def test_a_single_class_is_only_there_where_an_image_has_one_label(tmp_path: Path) -> None:
    data = open_dataset(table(tmp_path, *ROWS))
    assert data.label(3) == 1
    with pytest.raises(DataError, match=r"gives each image one class, and the data does not.*a.png has 2 labels"):
        data.label(0)
    with pytest.raises(DataError, match=r"sub/b.png has 0 labels"):
        data.label(1)


@pytest.mark.parametrize(
    ("rows", "head", "message"),
    [
        (("a.png,cat",), "file,label", "not a table of pictures and labels"),
        (("nowhere.png,cat",), "path,labels", "line 2.*there is no picture 'nowhere.png'"),
        (("a.png,cat", "a.png,dog"), "path,labels", "line 3.*listed twice"),
        (("a.png,cat,dog",), "path,labels", "line 2.*not a picture and its labels"),
        ((), "path,labels", "lists no picture"),
    ],
)
def test_wrong_tables_are_refused_with_their_line(
    tmp_path: Path, rows: tuple[str, ...], head: str, message: str
) -> None:
    path = table(tmp_path, *rows, head=head)
    with pytest.raises(DataError) as error:
        open_dataset(path)
    import re

    assert re.search(message, f"{error.value.where} {error.value} {error.value.why}", re.DOTALL)


def test_a_table_of_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = table(tmp_path, *ROWS)
    path.write_bytes(b"\xff\xfe\x00path")
    with pytest.raises(DataError, match="not UTF-8"):
        open_dataset(path)
