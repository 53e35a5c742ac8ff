"""A tiny learnable data set: stripes of three directions, 16 px, as an image tree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def stripes(kind: int, rng: np.random.Generator) -> Image.Image:
    rows, columns = np.mgrid[0:16, 0:16]
    phase = rng.integers(0, 6)
    wave = (rows, columns, rows + columns)[kind] + phase
    pixels = 127 + 100 * np.sin(wave * 2 * np.pi / 6)
    noisy = pixels[..., None] + rng.normal(0, 20, (16, 16, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("stripes")
    rng = np.random.default_rng(0)
    for split, count in (("train", 32), ("test", 12)):
        for kind, name in enumerate(("down", "across", "slant")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for index in range(count):
                stripes(kind, rng).save(folder / f"{index:03d}.png")
    return root
