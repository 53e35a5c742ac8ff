"""A CI log that reads commands out of what programs print: nothing of a user, a board or a file becomes one.

GitHub's runner takes a line that begins with ``::name`` (after blanks), and ``##[name]`` anywhere in a line, as a command.
Only :func:`write_commands` writes such lines.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from typing import TextIO

_AT_START = re.compile(r"(^|[\r\n\v\f\x1c-\x1e\x85\u2028\u2029])(\s*):(?=:)")
_ANYWHERE = "##["


def in_actions() -> bool:
    """Whether a GitHub runner reads what is printed."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def harmless(text: str) -> str:
    """A text in which no line is a command."""
    return _AT_START.sub(r"\1\2: ", text).replace(_ANYWHERE, "## [")


def harmless_json(text: str) -> str:
    """A JSON document without ``##[``; its values are what they were. No line of one begins with a colon."""
    return text.replace(_ANYWHERE, "##\\u005b")


def write_commands(lines: Iterable[str]) -> None:
    """The commands themselves, on standard error: a runner reads them there too, and ``--json`` stays one document."""
    for line in lines:
        sys.stderr.write(line.replace("\r", "%0D").replace("\n", "%0A") + "\n")


class ActionsLog:
    """A file that makes lines harmless before it writes them; lines may come in pieces."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._partial_line = ""  # the beginning of a line that may still become a command

    def write(self, text: str) -> int:
        """Write whole lines; what follows the last line's end waits for its own, or for :meth:`flush`."""
        whole, end, rest = (self._partial_line + text).rpartition("\n")
        self._file.write(harmless(whole) + end)
        self._partial_line = rest
        return len(text)

    def flush(self) -> None:
        """Write what waits."""
        self._file.write(harmless(self._partial_line))
        self._partial_line = ""
        self._file.flush()

    def isatty(self) -> bool:
        """A log is no terminal."""
        return self._file.isatty()

    def fileno(self) -> int:
        """The file's own."""
        return self._file.fileno()

    @property
    def encoding(self) -> str:
        """The file's own."""
        return self._file.encoding
