"""How the progress of long work looks on stderr: a line for each stage, or one bar that counts."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console

from eamdeploy.cli.views.output import err_console, is_watched

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


class StageLines:
    """A line for each stage; counts are not shown.

    Attributes:
        console: where they go.
        ending: what follows each sentence.
        style: of the lines.
    """

    def __init__(self, console: Console | None = None, *, ending: str = "", style: str | None = "dim") -> None:
        self.console, self.ending, self.style = console or err_console(), ending, style

    def stage(self, sentence: str, of: str | None = None) -> None:
        """Show a stage."""
        self.console.print(f"{_named(sentence, of)}{self.ending}", style=self.style)

    def step(self, done: int, total: int, of: str | None = None) -> None:
        """Show nothing."""


class _ShownBar:
    """A bar that is on the screen while its block of code runs."""

    _bar: Bar

    def __enter__(self) -> Self:
        """Start to show."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        self._bar.stop()


class CountBar(_ShownBar):
    """One bar that counts, with the time left; only on a terminal.

    Attributes:
        title: what is done.
        name: stands behind the bar where nothing else is named.
    """

    def __init__(self, title: str, name: str = "") -> None:
        self.name, self._bar = name, make_bar()
        self._task = self._bar.add_task(title, total=None, note="")

    def stage(self, sentence: str, of: str | None = None) -> None:
        """Show nothing."""

    def step(self, done: int, total: int, of: str | None = None) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=done, total=total, note=of or self.name)


class BoardsBar(_ShownBar):
    """One bar for the work on all boards, with its percentage, the time left and the latest stage; in a pipe a line a stage."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.table import Column

        self._console = err_console()
        self._watched = is_watched(self._console)
        self._shares: dict[str, float] = {}
        self._bar = Progress(
            TaskProgressColumn(),
            BarColumn(bar_width=20),
            TimeRemainingColumn(),
            # the rest of the line
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
            console=self._console,
            transient=True,
            disable=not self._watched,
            expand=True,
        )  # fmt: skip
        self._task = self._bar.add_task("", total=1.0)

    def stage(self, sentence: str, of: str | None = None) -> None:
        """Show what a board does now."""
        line = _named(sentence, of)
        if of:
            self._shares.setdefault(of, 0.0)
        if self._watched:
            self._bar.update(self._task, description=line)
        else:
            self._console.print(line, soft_wrap=True)

    def step(self, done: int, total: int, of: str | None = None) -> None:
        """Move the bar: the boards that are known share it equally."""
        self._shares[of or ""] = done / total
        self._bar.update(self._task, completed=self.share)

    @property
    def share(self) -> float:
        """How much is done, from 0 to 1."""
        return sum(self._shares.values()) / len(self._shares) if self._shares else 0.0


def _named(sentence: str, of: str | None) -> str:
    return f"{of}: {sentence}" if of else sentence


def make_bar() -> Bar:
    """A progress bar with the time left, on stderr, only on a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    screen = err_console()
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=screen,
        transient=True,
        disable=not is_watched(screen),
    )
