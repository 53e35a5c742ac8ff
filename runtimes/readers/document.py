"""The metadata document of an artifact, checked field by field with the standard library alone: a board reads it too."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from eamdeploy.base.errors import UsageError

LIMIT_BYTES = 64 * 1024 * 1024
DEPTH_LIMIT = 64
_MOST_CLASSES = 1_000_000
_MOST_LETTERS = 1024
_LAYOUTS = ("NCHW", "NHWC")


def read_document(text: bytes | str, where: Path) -> dict[str, Any]:
    """The document in a JSON text.

    Raises:
        UsageError: it is damaged; with the field and the value that do not fit.
    """
    if len(text) > LIMIT_BYTES:
        raise _damaged(where, "", f"it is larger than {LIMIT_BYTES:,} bytes")
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise _damaged(where, "", why) from error
    return check_document(document, where)


def check_document(document: Any, where: Path) -> dict[str, Any]:
    """A document that was parsed already.

    Raises:
        UsageError: as :func:`read_document`.
    """
    if not isinstance(document, dict):
        raise _damaged(where, "", f"it is no object but {_shown(document)}")
    if not _shallow(document):
        raise _damaged(where, "", "it is nested too deep")
    for name, (fits, words) in _FIELDS.items():
        value = document.get(name)
        if value is not None and not fits(value):
            raise _damaged(where, name, f"it must be {words}, not {_shown(value)}")
    return document


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _MOST_LETTERS and value.isprintable()


def _classes(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= _MOST_CLASSES and all(_class(name) for name in value)


def _class(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _MOST_LETTERS


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _tensors(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(group, dict) and all(isinstance(name, str) for name in group.values()) for group in value.values()
    )


_FIELDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "format": (_text, "a text"),
    "name": (_text, "a text"),
    "precision": (_text, "a text"),
    "architecture": (_object, "an object"),
    "classes": (_classes, "a list of texts"),
    "preprocessing": (_object, "an object"),
    "plan": (_objects, "a list of objects"),
    "checkpoint_sha256": (_text, "a text"),
    "eamdeploy_version": (_text, "a text"),
    "input_layout": (lambda value: value in _LAYOUTS, f"one of {', '.join(_LAYOUTS)}"),
    "tensors": (_tensors, "groups of tensors' names"),
    "budget": (_object, "an object"),
    "head": (_object, "an object"),
}


def _shallow(value: Any) -> bool:
    level = [value]
    for _ in range(DEPTH_LIMIT):
        level = [
            item
            for holder in level
            if isinstance(holder, (dict, list))
            for item in (holder.values() if isinstance(holder, dict) else holder)
        ]
        if not level:
            return True
    return False


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _damaged(where: Path, field: str, why: str) -> UsageError:
    place = f"{where}, field '{field}'" if field else where
    return UsageError("the artifact's metadata is damaged", where=place, why=why, hint="export it again")
