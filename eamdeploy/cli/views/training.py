"""What ``eamdeploy train`` says while it works: the plan, a line an epoch, and what an interruption kept."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console

if TYPE_CHECKING:
    from eamdeploy.training.loop import TrainingEvent


class TrainingReport:
    """Prints training events as they come, on a terminal and in a pipe alike."""

    def __init__(self, console: Console, out: Path) -> None:
        self._console, self._out = console, out
        self._stored = 0

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say what an interruption kept and how to go on."""
        if kind is None or not issubclass(kind, KeyboardInterrupt):
            return
        if self._stored:
            count = "1 finished epoch is" if self._stored == 1 else f"{self._stored} finished epochs are"
            epochs_text = f"{count} kept in {self._out}; run the same command again to go on"
        else:
            epochs_text = "no epoch was finished, so nothing is kept"
        self._say(f"interrupted: {epochs_text}")

    def __call__(self, event: TrainingEvent) -> None:
        """Print one event."""
        from eamdeploy.training.loop import TrainingPlan

        if isinstance(event, TrainingPlan):
            channels, height, width = event.input
            self._stored = event.resumed
            self._say(
                f"training {event.network}: {event.parameters:,} parameters, {event.train_images:,} training and "
                f"{event.test_images:,} test images of {event.classes} classes, input {channels}x{height}x{width}"
            )
            self._say(f"{event.recipe}, batch {event.batch}, {epoch_words(event.epochs)}, on {event.device}")
            if event.resumed:
                self._say(f"continues after epoch {event.resumed} of a run in {self._out}")
            return
        self._stored = event.epoch
        time_left = f", {duration(event.seconds_left)} left" if event.epoch < event.epochs else ""
        self._say(
            f"epoch {event.epoch}/{event.epochs}  loss {event.loss:.4f}  train {event.train_top1:.2f} %  test {event.top1:.2f} %  "
            f"lr {event.learning_rate:.3g}  {duration(event.seconds)} an epoch{time_left}"
        )

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True)


def epoch_words(count: int) -> str:
    """``1 epoch``, ``3 epochs``."""
    return "1 epoch" if count == 1 else f"{count} epochs"


def duration(seconds: float) -> str:
    """A time as people say it: ``42 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if whole >= 10 else f"{seconds:.1f} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
