"""Strict decoding of JSON: types, literals, bounds, size and depth, with an error that names the field and its value."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from eamdeploy.base.errors import UsageError

T = TypeVar("T")
JSON_LIMIT_BYTES = 64 * 1024 * 1024
DEPTH_LIMIT = 64
_SHOWN = 60  # characters of a refused value
_PLACE = re.compile(r"^(.*?)(?: - at `\$?(.*)`)?$", re.DOTALL)
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}  # one for each type; making one reads its hints
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


def read_limited(path: Path | str, limit: int = JSON_LIMIT_BYTES, *, what: str = "cannot read the file") -> bytes:
    """The content of a file of at most ``limit`` bytes.

    Raises:
        UsageError: it cannot be read, is no ordinary file, or is larger.
    """
    source = Path(path)
    try:
        if source.exists() and not source.is_file():
            raise UsageError(what, where=path, why="it is not a file")
        with source.open("rb") as file:
            content = file.read(limit + 1)
    except (OSError, ValueError) as error:
        raise UsageError(what, where=path, why=getattr(error, "strerror", None) or error) from error
    if len(content) > limit:
        raise UsageError(what, where=path, why=f"it is larger than {limit:,} bytes")
    return content


def decode(
    kind: type[T],
    content: bytes | str,
    *,
    where: object,
    what: str = "the file cannot be used",
    hint: str | None = None,
) -> T:
    """Decode JSON as ``kind``: a dataclass, or any type that has one.

    Args:
        where: the file, row or board, for the error.
        what: the first words of the error.
        hint: its last words.

    Raises:
        UsageError: with the field and the value that do not fit.
    """
    try:
        _check_depth(content)
        if kind not in _DECODERS:
            _DECODERS[kind] = msgspec.json.Decoder(kind)
        decoded: T = _DECODERS[kind].decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError) as error:
        raise refused(error, content, where=where, what=what, hint=hint) from error
    return decoded


def convert(
    kind: type[T], values: Any, *, where: object, what: str = "the value cannot be used", hint: str | None = None
) -> T:
    """As :func:`decode`, from values that were parsed already (TOML, a board's message)."""
    try:
        return msgspec.convert(values, kind)
    except (msgspec.ValidationError, RecursionError, ValueError) as error:
        raise refused(error, values, where=where, what=what, hint=hint) from error


def refused(error: Exception, content: Any, *, where: object, what: str, hint: str | None = None) -> UsageError:
    """The error for something that does not decode: ``where`` with the field, ``why`` with the value."""
    if isinstance(error, RecursionError):
        return UsageError(what, where=where, why=f"it is nested deeper than {DEPTH_LIMIT} levels", hint=hint)
    if isinstance(error, UnicodeError):
        return UsageError(what, where=where, why="it is not UTF-8 text", hint=hint)
    reason, place = _parts(str(error))
    if not place:
        return UsageError(what, where=where, why=reason, hint=hint)
    location, value = _value(content, place)
    if "matching regex" in reason:
        why = (
            f"it holds characters that cannot be in it: {_shown(value)}"
            if location
            else "it holds characters that cannot be in it"
        )
    else:
        why = f"{reason}, not {_shown(value)}" if location and "got" not in reason else reason
    return UsageError(what, where=f"{where}, field '{place.lstrip('.')}'", why=why, hint=hint)


def _check_depth(content: bytes | str) -> None:
    """Refuse what the views' own recursion could not follow; counted outside of strings, in C, for what may be deep."""
    text = content.encode("utf-8") if isinstance(content, str) else content
    if text.count(b"[") + text.count(b"{") <= DEPTH_LIMIT:
        return
    depth = 0
    for mark in _BRACKETS.finditer(text):
        letter = mark[0]
        if letter in (b"[", b"{"):
            depth += 1
            if depth > DEPTH_LIMIT:
                raise RecursionError
        elif letter in (b"]", b"}"):
            depth -= 1


# a string, skipped as a whole, or one bracket
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)


def _parts(message: str) -> tuple[str, str]:
    match = _PLACE.match(message)
    reason, place = (match[1], match[2] or "") if match else (message, "")
    if reason[1:2].islower():
        reason = reason[:1].lower() + reason[1:]
    return reason.replace("`", ""), place


def _value(content: Any, place: str) -> tuple[bool, Any]:
    try:
        value = msgspec.json.decode(content) if isinstance(content, (bytes, str)) else content
        for name, index in _STEP.findall(place):
            value = value[name] if name else value[int(index)]
    except (msgspec.MsgspecError, LookupError, TypeError, ValueError, RecursionError):
        return False, None  # wrong bytes may stand behind the field that was refused
    return True, value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
