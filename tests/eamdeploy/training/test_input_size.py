"""The input size of an image folder is that of its images, or it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from eamdeploy.base.errors import UsageError
from eamdeploy.data import open_dataset
from eamdeploy.training.sources import input_side


def folder(root: Path, *sizes: tuple[int, int]) -> Path:
    for number, size in enumerate(sizes):
        for name in ("cat", "dog"):
            (root / "train" / name).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size).save(root / "train" / name / f"{number}.png")
    return root


def test_one_square_size_is_the_input(tmp_path: Path) -> None:
    assert input_side(open_dataset(folder(tmp_path, (48, 48), (48, 48)), "train"), tmp_path) == 48


@pytest.mark.parametrize(("sizes", "why"), [(((48, 48), (64, 48)), "different sizes"), (((64, 48),), "not square")])
def test_anything_else_is_asked_for(tmp_path: Path, sizes: tuple[tuple[int, int], ...], why: str) -> None:
    with pytest.raises(UsageError, match=why) as raised:
        input_side(open_dataset(folder(tmp_path, *sizes), "train"), tmp_path)
    assert "`input_px` 224" in str(raised.value)
