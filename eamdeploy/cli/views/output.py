"""Where output goes: results on stdout, everything else on stderr; with ``--json`` exactly one document on stdout."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.control import Control
from rich.segment import Segment
from rich.text import Text

from eamdeploy.base.errors import one_line, printable
from eamdeploy.cli.options.flags import with_flags
from eamdeploy.cli.views.actions_log import ActionsLog, harmless_json, in_actions
from eamdeploy.cli.views.table import FittedTable

SCHEMA_VERSION = 1
_WIDE = 4000
_wide = False


def show_wide() -> None:
    """Show every column of every table in full from now on, whatever the terminal's width."""
    global _wide
    _wide = True


class _Escaped:
    """A renderable whose text holds no control characters; colours of our own are not part of the text."""

    def __init__(self, inner: ConsoleRenderable) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self._inner, options):
            yield segment if segment.control else Segment(with_flags(printable(segment.text)), segment.style)


class _EscapingHook(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [each if isinstance(each, Control) else _Escaped(each) for each in renderables]


class _WordWrapping(Console):
    """Where a line is longer than a terminal, it is broken between words; a path is never broken."""

    def print(self, *objects: Any, soft_wrap: bool | None = None, **settings: Any) -> None:
        """As :meth:`rich.console.Console.print`; text that may be longer than a line is wrapped here and not by the terminal."""
        if soft_wrap and self.width < _WIDE and len(objects) == 1 and isinstance(objects[0], str | Text):
            text = Text(objects[0]) if isinstance(objects[0], str) else objects[0]
            objects = (Text("\n").join(part for line in text.split("\n") for part in _hanging(line, self.width)),)
        super().print(*objects, soft_wrap=soft_wrap, **settings)


def _hanging(line: Text, width: int) -> list[Text]:
    """The line in parts that fit; what follows the first stands below its words: behind a margin or a label."""
    label = re.match(r"\w+ {2,}(?=\S)", line.plain)
    margin = re.match(r" *", line.plain)
    indent = len(label[0]) if label else len(margin[0]) + 2 if margin and margin[0] else 0
    first, *more = _wrapped(line, width, indent)
    return [first, *(Text.assemble(" " * indent, part) for part in more)]


def _wrapped(line: Text, width: int, indent: int = 0) -> list[Text]:
    """The line in parts that fit, broken between words; a word that is longer than a line is left whole.

    Args:
        indent: columns that every part but the first leaves free.
    """
    breaks: list[int] = []
    start = 0
    for word in re.finditer(r"\S+", line.plain):
        room = width - indent if breaks else width
        if cell_len(line.plain[start : word.end()]) > room and line.plain[start : word.start()].strip():
            breaks.append(word.start())
            start = word.start()
    parts = line.divide(breaks)
    for part in parts[:-1]:
        part.rstrip()
    return list(parts)


def _console(file: TextIO) -> Console:
    # a terminal or a pipe that knows no UTF-8 gets a "?" where a character does not exist there, not a failure
    if isinstance(file, io.TextIOWrapper) and file.errors == "strict":
        file.reconfigure(errors="replace")
    # text is shown as it is: what a user, a file or a board called something is never markup, and nothing of ours needs it
    stream: Any = ActionsLog(file) if in_actions() else file
    escaping = _WordWrapping(file=stream, highlight=False, soft_wrap=False, markup=False, emoji=False)
    if _wide or not (is_watched(escaping) or "COLUMNS" in os.environ):
        escaping.width = _WIDE  # nobody's window: a file, a pipe or a CI log, where lines may be long
    elif escaping.width < 1:  # COLUMNS=0, as some editors' terminals have it, says that nothing is known
        escaping.width = shutil.get_terminal_size().columns
    escaping.push_render_hook(_EscapingHook())
    return escaping


def is_watched(console: Console) -> bool:
    """Whether a terminal shows it. FORCE_COLOR, which CI systems set, makes rich take a log for one."""
    return console.is_terminal and console.file.isatty()


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
    text = json.dumps(whole, indent=2, allow_nan=False, default=str) + "\n"
    sys.stdout.write(harmless_json(text) if in_actions() else text)


def make_table(*columns: str, title: str | None = None) -> FittedTable:
    """A table that fits the terminal; see :mod:`eamdeploy.cli.views.table` for the marks of its columns."""
    return FittedTable(columns, title=title)


def print_facts(console: Console, facts: Iterable[tuple[str, str]]) -> None:
    """One fact a line: its name in bold, its value in full; what is longer than a line goes on below its beginning."""
    rows = [(name, value) for name, value in facts if value]
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        text, indent = one_line(value), width + 2
        if max(map(cell_len, text.split()), default=0) > console.width - indent:
            indent = 2  # a long word gets more room below the name
        begin = "\n  " if indent == 2 else " " * (indent - len(name))
        lines = Text("\n" + " " * indent).join(_wrapped(Text(text), max(console.width - indent, 1)))
        console.print(Text.assemble((name, "bold"), begin, lines), no_wrap=True, overflow="ignore", crop=False)
