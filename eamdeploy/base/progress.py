"""What long work tells of itself while it goes on: sentences and counts, to whoever wants to show them.

The library prints nothing. A function that takes long takes one of these, and the caller shows what it is told, or nothing.
"""

from __future__ import annotations

from typing import Protocol


class Say(Protocol):
    """Takes a sentence on what is done now, such as ``verifying net.onnx``."""

    def __call__(self, sentence: str, /) -> None:
        """Take it."""


class SayOf(Protocol):
    """Takes a sentence and what it is about: a board's name, where work goes on at several."""

    def __call__(self, of: str, sentence: str, /) -> None:
        """Take it."""


class Count(Protocol):
    """Takes how many of how many are done."""

    def __call__(self, done: int, total: int, /) -> None:
        """Take it."""


class CountOf(Protocol):
    """Takes how many of how many are done, and of what: an artifact's name, where there are several."""

    def __call__(self, of: str, done: int, total: int, /) -> None:
        """Take it."""
