"""Every error a user can meet, and the exit code it ends with.

    EamdeployError
    ├── InternalError        1   a bug of ours
    ├── UsageError           2   a flag, a file or a value that cannot be used
    │   ├── DataError        2   a data set or an image that cannot be read
    │   └── StoreError       2   the store of runs cannot be opened, read or written
    ├── ParityError          3   an artifact does not match its checkpoint
    ├── GateError            4   a regression
    ├── MeasurementError     5   throttled, too noisy: no valid number
    ├── BoardUnreachable     6   the board or the link to it
    │   └── BoardBusy        6   somebody else holds the board's lock
    └── MissingDependency    7   a package, a tool or a capability that is not there

Each says what happened, where, why, and what to do next, in one sentence. A parameter is named in backticks (`out`); the
command line shows the flag that sets it (:mod:`eamdeploy.cli.options.flags`). A whole command to type may stand in a hint.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

# what moves a terminal's cursor, colours it or turns the direction of writing
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """A text from elsewhere (a board, a file) as a terminal may show it: control characters become ``\\x1b``."""
    return _UNPRINTABLE.sub(lambda match: ascii(match[0])[1:-1], text)


def one_line(text: str) -> str:
    """As :func:`printable`, of a name: its line ends and tabs are written out as well."""
    return printable(text).replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t")


class EamdeployError(Exception):
    """Base of all expected errors.

    Attributes:
        what: what went wrong, in words of the user's task.
        where: the file, flag, board or layer concerned.
        why: the cause, as far as known.
        hint: the next step.
        exit_code: what the command line ends with.
    """

    exit_code = 1

    def __init__(
        self, what: str, *, where: object | None = None, why: object | None = None, hint: str | None = None
    ) -> None:
        self.what, self.hint = what, hint
        self.where = None if where is None else str(where)
        self.why = None if why is None else str(why)
        super().__init__(what)

    def __str__(self) -> str:
        text = self.what
        if self.where:
            text += f" ({self.where})"
        if self.why:
            text += f": {self.why}"
        return one_line(f"{text}; {self.hint}" if self.hint else text)


class InternalError(EamdeployError):
    """A bug in eamdeploy: the user did nothing wrong."""


class UsageError(EamdeployError):
    """A flag, a file or a value that cannot be used."""

    exit_code = 2


class DataError(UsageError):
    """A data set, an image or a checkpoint that cannot be read."""


class StoreError(UsageError):
    """The store of runs cannot be opened, read or written; what was in it is untouched."""


class ParityError(EamdeployError):
    """An artifact is not the same function as its checkpoint."""

    exit_code = 3


class GateError(EamdeployError):
    """A regression beyond the threshold."""

    exit_code = 4


class MeasurementError(EamdeployError):
    """A measurement whose number must not be used."""

    exit_code = 5


class BoardUnreachable(EamdeployError):
    """A board that cannot be reached, or a link that was lost."""

    exit_code = 6


class BoardBusy(BoardUnreachable):
    """A board on which another job is running."""


class MissingDependency(EamdeployError):
    """A package, a tool or a capability that is not here."""

    exit_code = 7

    @classmethod
    def extra(cls, package: str, extra: str) -> MissingDependency:
        """The error for a Python ``package`` that comes with one of our extras."""
        return cls(f"{package} is not installed", hint=f"install it with: pip install 'eamdeploy[{extra}]'")


def did_you_mean(name: str, known_names: Iterable[str]) -> str:
    """A hint that lists the ``known_names`` names, the nearest to ``name`` first."""
    names = sorted(known_names)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    listed = ", ".join(names) if names else "none"
    return f"did you mean '{near[0]}'? known: {listed}" if near else f"known: {listed}"
