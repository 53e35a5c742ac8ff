"""A progress that keeps what arrives."""

from __future__ import annotations

from collections.abc import Callable


class RecordedProgress:
    """Keeps every stage and every step.

    Attributes:
        stages: what each is about, and its sentence.
        steps: what each is about, how many were done, and of how many.
        react: called with each sentence.
    """

    def __init__(self, react: Callable[[str], object] | None = None) -> None:
        self.stages: list[tuple[str | None, str]] = []
        self.steps: list[tuple[str | None, int, int]] = []
        self.react = react

    @property
    def sentences(self) -> list[str]:
        """Of the stages alone."""
        return [sentence for _, sentence in self.stages]

    def stage(self, sentence: str, of: str | None = None) -> None:
        """Keep a stage."""
        self.stages.append((of, sentence))
        if self.react is not None:
            self.react(sentence)

    def step(self, done: int, total: int, of: str | None = None) -> None:
        """Keep a step."""
        self.steps.append((of, done, total))
