"""What long work reports while it goes on, to whoever wants to show it.

The library prints nothing. A function that takes long has a parameter ``progress``; the caller shows what arrives there, or
nothing. Data, such as the loss of a training step, goes through typed events and not through here.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the stages of long work, and how much of a stage is done.

    Both methods take ``of``: a board's or an artifact's name, where the work goes on at several.
    """

    def stage(self, sentence: str, of: str | None = None) -> None:
        """Receive what begins now, such as ``verifying net.onnx``."""

    def step(self, done: int, total: int, of: str | None = None) -> None:
        """Receive how many images or layers of how many are done."""


class SilentProgress:
    """Shows nothing."""

    def stage(self, sentence: str, of: str | None = None) -> None:
        """Show nothing."""

    def step(self, done: int, total: int, of: str | None = None) -> None:
        """Show nothing."""


class ProgressOf:
    """The progress of one board or artifact among several: everything is passed on under its name.

    Attributes:
        progress: receives everything.
        name: the board's or the artifact's.
    """

    def __init__(self, progress: Progress, name: str) -> None:
        self.progress, self.name = progress, name

    def stage(self, sentence: str, of: str | None = None) -> None:
        """Pass a stage on."""
        self.progress.stage(sentence, of or self.name)

    def step(self, done: int, total: int, of: str | None = None) -> None:
        """Pass a step on."""
        self.progress.step(done, total, of or self.name)


SILENT: Progress = SilentProgress()
