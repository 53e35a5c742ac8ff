"""Class names: read from a file, and found by name only where a name is one class's alone."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from eamdeploy.base.errors import DataError
from eamdeploy.base.files import ordinary

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_class_list(path: Path) -> tuple[str, ...]:
    """Class names, one a line, in the order of the outputs; UTF-8, or UTF-16 or UTF-32, with any line ends.

    Blanks around a name and empty lines at the end do not count. An empty line before a name does: it would shift all
    names behind it.

    Raises:
        DataError: when the file cannot be read, holds no name, has an empty line among them, or a name of no text.
    """
    try:
        names = [line.strip() for line in _text(ordinary(path).read_bytes()).splitlines()]
    except OSError as error:
        raise DataError("cannot read the labels", where=path, why=error.strerror) from error
    except UnicodeDecodeError as error:
        hint = "save the file as UTF-8"
        raise DataError(
            "cannot read the labels", where=path, why="it is neither UTF-8 nor UTF-16", hint=hint
        ) from error
    while names and not names[-1]:
        names.pop()
    if not names:
        raise DataError("there are no labels in the file", where=path)
    if "" in names:
        why = f"line {names.index('') + 1} of {len(names)} is empty, and would shift the names behind it"
        raise DataError(
            "cannot read the labels", where=path, why=why, hint="give every class a name, or remove the line"
        )
    strange = next((index for index, name in enumerate(names) if "\0" in name), None)
    if strange is not None:
        why = f"line {strange + 1} holds a zero character, which no name does"
        raise DataError("cannot read the labels", where=path, why=why, hint="save the file as UTF-8")
    return tuple(names)


def position_of(name: str, classes: Sequence[str], where: object = None) -> int | None:
    """Where ``name`` stands among ``classes``; ``None`` where it does not.

    An é in one character is the é of two that some file systems write: they look the same, and are.

    Raises:
        DataError: when it stands there twice, with both positions.
    """
    positions = [index for index, other in enumerate(classes) if _same(other, name)]
    if len(positions) > 1:
        places = " and ".join(str(index) for index in positions)
        why = f"'{name}' is the name of the classes {places}"
        hint = "say which is meant by its number in a class map, or rename one of them"
        raise DataError("a class name is ambiguous", where=where, why=why, hint=hint)
    return positions[0] if positions else None


def _same(first: str, other: str) -> bool:
    if first == other or first.isascii() or other.isascii():
        return first == other
    return unicodedata.normalize("NFC", first) == unicodedata.normalize("NFC", other)


def _text(content: bytes) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding)
    # UTF-16 without its mark: every other byte of ASCII names is zero
    if content[1:2] == b"\0":
        return content.decode("utf-16-le")
    if content[:1] == b"\0":
        return content.decode("utf-16-be")
    return content.decode("utf-8")
