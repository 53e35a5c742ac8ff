"""What a user's folders and files give a quantizer: images to calibrate with, images to check on, a foreign model's card."""

from __future__ import annotations

import json
from pathlib import Path

from eamdeploy.data import ImageDataset, sample_for
from eamdeploy.data.open import open_images
from eamdeploy.errors import DataError, UsageError
from eamdeploy.model_card import ModelCard
from eamdeploy.preprocessing import Preprocessing
from runtimes.protocol import RuntimeOptions
from runtimes.registry import runtime_for


def open_splits(
    calibration: Path | None, data: Path | None, classes: tuple[str, ...]
) -> tuple[ImageDataset, ImageDataset | None]:
    """Images to calibrate with and images to check on.

    The training split of ``calibration``, and the test split of ``data`` or, without it, of ``calibration``. Where a folder has no
    two splits the second is ``None``. Without ``calibration``: ``data``'s; without both, the embedded sample.

    Raises:
        DataError: when a folder is missing or holds no images, or none is given for classes that the sample has not.
    """
    root = calibration or data
    if root is None:
        return sample_for(classes), None
    try:
        seen = open_images(root, classes, "train")
    except DataError:
        seen = open_images(root, classes, "test")
    if data is not None:
        checked = open_images(data, classes, "test")
    else:
        try:
            checked = open_images(root, classes, "test")
        except DataError:
            return seen, None
    same = len(seen) == len(checked) and [seen.key(0), seen.key(len(seen) - 1)] == [
        checked.key(0),
        checked.key(len(seen) - 1),
    ]
    return seen, None if same and (data is None or data == calibration) else checked


def foreign_card(path: Path, preprocessing: Preprocessing, labels: tuple[str, ...] | None) -> ModelCard:
    """A card for a classifier from elsewhere; without ``labels`` its classes are numbered.

    Raises:
        UsageError: when the artifact does not load, or has another number of classes.
    """
    session = runtime_for(path).load(path, RuntimeOptions())
    try:
        count = session.outputs[0].shape[-1] if session.outputs[0].shape else None
    finally:
        session.close()
    if not count:
        raise UsageError(
            "the quantizer does not know this model", where=path, why="its output is no row of class scores"
        )
    names = labels or tuple(f"class {index}" for index in range(count))
    if len(names) != count:
        raise UsageError(f"{len(names)} labels were given for {count} classes", where=path)
    return ModelCard(path, names, preprocessing)


def read_preprocessing(text: str) -> Preprocessing:
    """A preprocessing from JSON, given as text or as the path of a file.

    Raises:
        UsageError: when it is neither.
    """
    try:
        content = text if text.lstrip().startswith("{") else Path(text).read_text(encoding="utf-8")
        document = json.loads(content)
    except (OSError, ValueError) as error:
        hint = 'give JSON or a file with it, such as {"size": 224, "resize": 256}'
        raise UsageError("cannot read the preprocessing", where=text[:80], why=error, hint=hint) from error
    if not isinstance(document, dict):
        raise UsageError("the preprocessing must be a JSON object", where=text[:80])
    return Preprocessing.from_dict(document)


def read_labels(path: Path) -> tuple[str, ...]:
    """Class names, one a line.

    Raises:
        DataError: when the file cannot be read or holds none.
    """
    try:
        names = tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("cannot read the labels", where=path, why=error) from error
    if not names:
        raise DataError("there are no labels in the file", where=path)
    return names
