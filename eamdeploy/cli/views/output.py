"""Where output goes: results on stdout, everything else on stderr; with ``--json`` exactly one document on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

SCHEMA_VERSION = 1


def console() -> Console:
    """The console for results. Made anew each time, so that a redirected stdout is seen; honours NO_COLOR."""
    return Console(file=sys.stdout, highlight=False, soft_wrap=False)


def err_console() -> Console:
    """The console for progress, notes and warnings."""
    return Console(file=sys.stderr, highlight=False)


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
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=shown,
        transient=True,
        disable=not shown.is_terminal,
    )
