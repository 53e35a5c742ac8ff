"""A preprocessing as a user writes it: with names for the common normalisations, and defaults that are said.

The form is published as ``preprocessing.schema.json`` beside this file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eamdeploy.base.errors import UsageError, did_you_mean
from eamdeploy.base.files import ordinary
from eamdeploy.data.preprocessing import Preprocessing

SCHEMA = Path(__file__).parent / "preprocessing.schema.json"
# what pixels of 0 to 255 become: mean and std of values in [0, 1]
NORMALIZATIONS: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5,), (0.5,)),  # -1 to 1
    "unit": ((0.0,), (1.0,)),  # 0 to 1
    "pixels": ((0.0,), (1 / 255,)),  # 0 to 255, as they are
}
_HINT = 'such as {"size": 224, "resize": 256, "normalize": "imagenet"}'


@dataclass(frozen=True)
class SaidPreprocessing:
    """What a user wrote, complete.

    Attributes:
        preprocessing: with every field.
        defaults: sentences on fields that were not given and matter.
    """

    preprocessing: Preprocessing
    defaults: tuple[str, ...]


def read_said(text: str) -> SaidPreprocessing:
    """A preprocessing from JSON, given as text or as the path of a file.

    Raises:
        UsageError: when it is neither, or a field does not fit; the field is named.
    """
    is_text = text.lstrip().startswith("{")
    where = "the preprocessing" if is_text else text[:200]
    try:
        content = text if is_text else ordinary(text).read_bytes().decode("utf-8-sig")
        document = json.loads(content, object_pairs_hook=_once)
    except (OSError, ValueError, RecursionError) as error:
        hint = f"give JSON or a file with it, {_HINT}"
        raise UsageError("cannot read the preprocessing", where=text[:80], why=error, hint=hint) from error
    if not isinstance(document, dict):
        raise UsageError("the preprocessing must be a JSON object", where=text[:80], hint=_HINT)
    return complete(document, where)


def complete(document: Mapping[str, Any], where: object = "the preprocessing") -> SaidPreprocessing:
    """Fill in what a document leaves out, and say so.

    Raises:
        UsageError: for a field that is unknown or does not fit.
    """
    values, defaults = dict(document), []
    name = values.pop("normalize", None)
    statistics_given = [field for field in ("mean", "std") if field in values]
    if name is not None and statistics_given:
        raise UsageError(
            f"the preprocessing has both normalize and {statistics_given[0]}", where=where, hint="leave one of them out"
        )
    if name is not None and (not isinstance(name, str) or name not in NORMALIZATIONS):
        hint = did_you_mean(str(name), NORMALIZATIONS)
        raise UsageError(f"unknown normalize {name!r}", where=where, hint=hint)
    if len(statistics_given) == 1:
        other = "std" if statistics_given == ["mean"] else "mean"
        raise UsageError(
            f"the preprocessing has {statistics_given[0]} and no {other}", where=where, hint="give both, or normalize"
        )
    channels = values.setdefault("channels", _channels(values.get("mean")))
    if name is None and not statistics_given:
        if channels == 1:
            hint = 'such as "mean": [0.5], "std": [0.5], or "normalize": "half"'
            raise UsageError("a grey network needs its mean and std", where=where, hint=hint)
        name = "imagenet"
        defaults.append('mean and std were not given: ImageNet\'s are taken ("normalize": "imagenet")')
    if name is not None:
        values["mean"], values["std"] = NORMALIZATIONS[name]
    for field in ("mean", "std"):
        values[field] = _spread(values[field], channels)
        _refuse_pixels(field, values[field], where)
    if "resize" not in values:
        defaults.append("resize was not given: pictures are squeezed to size x size, without a crop")
    if "interpolation" not in values:
        defaults.append("interpolation was not given: bilinear")
    return SaidPreprocessing(Preprocessing.from_dict(values, where=where), tuple(defaults))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"'{twice}' stands there twice")
    return dict(pairs)


def _refuse_pixels(field: str, value: Any, where: object) -> None:
    """Values for pixels of 0 to 255 would make every picture nearly the same colour."""
    numbers = value if isinstance(value, list) else [value]
    beyond = [each for each in numbers if isinstance(each, (int, float)) and 1 < abs(each) < float("inf")]
    if beyond:
        why = f"{beyond[0]:g} is of pixels from 0 to 255"
        hint = f"divide by 255: {beyond[0] / 255:.4g}"
        raise UsageError(f"{field} is of values between 0 and 1", where=where, why=why, hint=hint)


def _channels(mean: Any) -> int:
    return len(mean) if isinstance(mean, list) and len(mean) in (1, 3) else 3


def _spread(value: Any, channels: Any) -> Any:
    """One number for every channel; anything that is not a number is left for the check of types."""
    single = value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value
    if isinstance(single, (int, float)) and not isinstance(single, bool) and isinstance(channels, int):
        return [single] * max(1, min(channels, 3))
    return list(value) if isinstance(value, tuple) else value
