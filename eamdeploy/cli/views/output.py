"""Where output goes: results on stdout, everything else on stderr; with ``--json`` exactly one document on stdout."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.control import Control
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.table import Table

from eamdeploy.base.errors import printable

SCHEMA_VERSION = 1


class _Escaped:
    """A renderable whose text holds no control characters; colours of our own are not part of the text."""

    def __init__(self, inner: ConsoleRenderable) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self._inner, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


class _EscapingHook(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [each if isinstance(each, Control) else _Escaped(each) for each in renderables]


def _console(file: TextIO) -> Console:
    # a terminal or a pipe that knows no UTF-8 gets a "?" where a character does not exist there, not a failure
    if isinstance(file, io.TextIOWrapper) and file.errors == "strict":
        file.reconfigure(errors="replace")
    # text is shown as it is: what a user, a file or a board called something is never markup, and nothing of ours needs it
    made = Console(file=file, highlight=False, soft_wrap=False, markup=False, emoji=False)
    made.push_render_hook(_EscapingHook())
    return made


def console() -> Console:
    """The console for results. Made anew each time, so that a redirected stdout is seen; honours NO_COLOR."""
    return _console(sys.stdout)


def err_console() -> Console:
    """The console for progress, notes and warnings."""
    return _console(sys.stderr)


def emit(schema: str, document: Mapping[str, Any], as_json: bool, render: Callable[[Console], None]) -> None:
    """Show a result: as one JSON document, or as ``render`` draws it.

    Args:
        schema: name of the document's kind, e.g. ``describe``.
    """
    if not as_json:
        render(console())
        return
    whole = {"schema": f"eamdeploy/{schema}", "schema_version": SCHEMA_VERSION, **document}
    sys.stdout.write(json.dumps(whole, indent=2, allow_nan=False, default=str) + "\n")


def make_table(*columns: str, title: str | None = None) -> Table:
    """A table; columns whose name starts with ``>`` are aligned right. The first names the row and is never broken."""
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False, padding=(0, 1))
    for index, column in enumerate(columns):
        table.add_column(
            column.removeprefix(">"),
            justify="right" if column.startswith(">") else "left",
            overflow="fold",
            no_wrap=index == 0,
        )
    return table


def progress() -> Progress:
    """A progress bar with the time left, on stderr, only on a terminal."""
    shown = err_console()
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=shown,
        transient=True,
        disable=not shown.is_terminal,
    )
