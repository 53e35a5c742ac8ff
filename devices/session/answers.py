"""One answer of a program that was sent to a board: found in its line, and decoded like everything that a board says."""

from __future__ import annotations

from typing import TypeVar

from devices.runner.wire import MARK
from eamdeploy.base.decoding import decode
from eamdeploy.base.errors import MeasurementError, UsageError

T = TypeVar("T")
_WHAT = "the board's answer cannot be used"


def marked(line: str) -> str | None:
    """What stands after the mark; None when the line is somebody else's (a banner, a print)."""
    at = line.find(MARK)
    return None if at < 0 else line[at + len(MARK) :]


def decode_answer(kind: type[T], text: str, *, board: str) -> T:
    """The answer as ``kind``.

    Raises:
        MeasurementError: it does not decode; with the board, the field and the value.
    """
    try:
        return decode(kind, text, where=board, what=_WHAT)
    except UsageError as error:
        raise MeasurementError(_WHAT, where=error.where, why=error.why, hint="check the board's Python") from error
