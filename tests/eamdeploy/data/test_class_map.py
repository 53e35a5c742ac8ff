"""A data set's classes become a network's outputs by name, by a map, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from eamdeploy.base.errors import DataError
from eamdeploy.data.class_map import output_indices, read_class_map

NETWORK = ("cat", "dog", "fish", "owl")


def test_names_decide_not_positions() -> None:
    assert output_indices(("owl", "cat", "fish", "dog"), NETWORK) == (3, 0, 2, 1)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (("cat", "dog", "fish"), r"the data has 3 \(cat, dog, fish\) and the network 4"),
        (("cat", "dog", "fish", "tench"), "the network has no class 'tench'"),
    ],
)
def test_other_classes_are_refused(data: tuple[str, ...], words: str) -> None:
    with pytest.raises(DataError, match=words) as raised:
        output_indices(data, NETWORK, where="pictures")
    assert "`class_map`" in str(raised.value)
    assert raised.value.exit_code == 2


def test_a_map_by_index_and_by_name(tmp_path: Path) -> None:
    file = tmp_path / "map.json"
    file.write_text('{"n01": 2, "n02": "owl", "unused": 0}')
    assert output_indices(("n02", "n01"), NETWORK, read_class_map(file)) == (3, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1]", "expected object, got array"),
        ("{", "input data was truncated"),
        ('{"n01": 1.5}', "'n01'.*expected int . str, got float"),
        ('{"n01": true}', "'n01'.*expected int . str, got bool"),
        ('{"n02": 1}', "no entry for the data's class 'n01'"),
        ('{"n01": 4}', "the index 4, and the network has 4 classes"),
        ('{"n01": -1}', "'n01'.*expected int >= 0"),
        ('{"n01": "tench"}', "'tench', which the network does not have"),
    ],
)
def test_a_map_that_is_wrong_is_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "map.json"
    file.write_text(text)
    with pytest.raises(DataError, match=words):
        output_indices(("n01",), NETWORK, read_class_map(file))


def test_a_missing_map(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"No such file"):
        read_class_map(tmp_path / "none.json")
