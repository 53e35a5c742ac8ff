"""A preprocessing that a user writes: one published form, every mistake named, every default said."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eamdeploy.base.errors import UsageError
from eamdeploy.data.preprocessing import FILTERS, Preprocessing
from eamdeploy.data.preprocessing_said import NORMALIZATIONS, SCHEMA, read_said


def test_the_published_form_has_the_fields_that_are_read() -> None:
    schema = json.loads(SCHEMA.read_text())
    names = {field.name for field in fields(Preprocessing)}
    assert set(schema["properties"]) == {*names, "normalize"}
    assert schema["properties"]["normalize"]["enum"] == list(NORMALIZATIONS)
    assert schema["properties"]["interpolation"]["enum"] == list(FILTERS)
    for name, rule in schema["properties"].items():
        if "default" in rule and name != "normalize":
            assert getattr(Preprocessing(8), name) == rule["default"], name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"size": "224"}', r"field 'size'.*int"),
        ('{"size": 224.5}', "field 'size'"),
        ('{"size": true}', "field 'size'"),
        ('{"size": 8, "mean": "half", "std": "half"}', "field 'mean'"),
        ('{"size": 8, "mean": [0.5, "a", 0.5], "std": [1, 1, 1]}', "field 'mean"),
        ('{"size": 8, "interpolation": 2}', "field 'interpolation'"),
        ('{"size": 8, "exif": 1}', "field 'exif'"),
        ('{"size": 8, "crop": 1}', "unknown preprocessing field 'crop'.*known: "),
        ('{"size": 8, "resise": 9}', "did you mean 'resize'"),
        ('{"size": 8, "mean": [0.5, 0.5, 0.5]}', "mean and no std"),
        ('{"size": 8, "channels": 1}', "grey network needs its mean and std"),
        ('{"size": 8, "normalize": "half", "std": 1}', "both normalize and std"),
        ('{"size": 8, "normalize": "hlaf"}', "did you mean 'half'"),
        ('{"size": 8, "mean": 0.5, "std": 0}', "std must be positive"),
        ('{"size": 8, "mean": [0.1, 0.2], "std": [1, 1]}', "need 3 values"),
        ('{"size": 8, "channels": 4}', "mean and std need 4 values"),
        ('{"resize": 8}', "has no size"),
        ('{"size": 8, "resize": 4}', "must not be smaller"),
        ('{"size": 0}', "size must be at least 1 pixel, got 0"),
        ('{"size": -8}', "size must be at least 1 pixel, got -8"),
        ('{"size": 8, "size": 9}', "'size' stands there twice"),
        ('{"size": 8, "mean": 127.5, "std": 127.5}', r"127.5 is of pixels from 0 to 255.*divide by 255: 0.5"),
        ('{"size": 8, "mean": [103.94, 116.78, 123.68], "std": [1, 1, 1]}', "mean is of values between 0 and 1"),
        ('{"size": 8, "mean": 0, "std": 255}', "std is of values between 0 and 1.*divide by 255: 1"),
        ("[1]", "cannot read the preprocessing"),
        ("{", "cannot read the preprocessing"),
    ],
)
def test_every_mistake_is_named(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_said(text)


def test_defaults_are_said() -> None:
    preprocessing = read_said('{"size": 8}')
    assert preprocessing.preprocessing == Preprocessing(8)
    assert [text.split(" ")[0] for text in preprocessing.defaults] == ["mean", "resize", "interpolation"]
    assert read_said('{"size": 8, "resize": 9, "normalize": "half", "interpolation": "bicubic"}').defaults == ()


@pytest.mark.parametrize(("name", "low", "high"), [("half", -1, 1), ("unit", 0, 1), ("pixels", 0, 255)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_normalization_by_name_gives_its_range(name: str, low: float, high: float, channels: int) -> None:
    spec = read_said(json.dumps({"size": 2, "normalize": name, "channels": channels})).preprocessing
    array = spec.apply(Image.fromarray(np.array([[0, 255], [0, 255]], np.uint8)))
    assert array.shape == (channels, 2, 2)
    assert (float(array.min()), float(array.max())) == (pytest.approx(low), pytest.approx(high))
    if name == "pixels":
        ramp = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
        exact = read_said('{"size": 16, "normalize": "pixels", "channels": 1}').preprocessing.apply(ramp)
        assert (exact.reshape(-1) == np.arange(256)).all()


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_bytes(b'\xef\xbb\xbf{"size": 8, "mean": 0.5, "std": 0.25, "channels": 1}')
    assert read_said(str(tmp_path / "p.json")).preprocessing == Preprocessing(8, None, (0.5,), (0.25,), 1)
