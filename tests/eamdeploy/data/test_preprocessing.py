"""Preprocessing is data, and means the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from eamdeploy.base.errors import UsageError
from eamdeploy.data.preprocessing import Preprocessing


def test_values_are_normalised_per_channel() -> None:
    spec = Preprocessing(2, None, (0.5, 0.25, 0.0), (0.5, 0.25, 1.0))
    image = Image.fromarray(np.full((2, 2, 3), (255, 0, 51), dtype=np.uint8))
    assert np.allclose(spec.apply(image)[:, 0, 0], [1.0, -1.0, 0.2], atol=1e-6)


def test_short_side_is_resized_and_the_centre_cropped() -> None:
    wide = np.zeros((20, 40, 3), dtype=np.uint8)
    wide[:, 15:25] = 255
    out = Preprocessing(10, 20, (0.0,) * 3, (1.0,) * 3).apply(Image.fromarray(wide))
    assert out.shape == (3, 10, 10)
    assert np.allclose(out, 1.0)


def test_grey_and_colour_are_converted() -> None:
    grey = Preprocessing(4, None, (0.0,), (1.0,), channels=1)
    assert grey.apply(Image.new("RGB", (8, 8), (255, 255, 255))).shape == (1, 4, 4)
    colour = Preprocessing(4)
    assert colour.apply(Image.new("L", (8, 8), 7)).shape == (3, 4, 4)
    assert colour.apply(Image.new("RGBA", (4, 4), (1, 2, 3, 4))).dtype == np.float32


def test_it_survives_the_way_through_json() -> None:
    spec = Preprocessing(192, 219, (0.5,) * 3, (0.5,) * 3, interpolation="bicubic")
    assert Preprocessing.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize(
    "values",
    [{"size": 8, "resize": 4}, {"size": 8, "mean": [0.1]}, {"size": 8, "std": [0, 1, 1]}, {"size": 8, "crop": 1}, {}],
)
def test_what_does_not_describe_a_preprocessing_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Preprocessing.from_dict(values)
