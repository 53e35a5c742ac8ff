"""Tables that fit: one line a row, columns left out by priority, the middle of long names elided; no word is ever broken.

A column is written as its head, with marks: ``>`` in front aligns it right; each ``?`` behind it makes it more dispensable.
``"artifact"``, ``">p50 ms"``, ``"runtime?"``, ``">p99 ms??"``: where the terminal is too narrow, ``p99 ms`` goes first.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.text import Text

from eamdeploy.base.errors import one_line

_GAP = 2
_SHORTEST = 8  # a name elided further says nothing
_COMMON = 8  # a beginning that all names share is left out where it is longer
_NAME = 28  # what a row's name keeps while there are columns to leave out


@dataclass(frozen=True)
class _Column:
    head: str
    right: bool
    dispensable: int

    @classmethod
    def parse(cls, mark: str) -> _Column:
        bare = mark.rstrip("?")
        return cls(bare.removeprefix(">"), bare.startswith(">"), len(mark) - len(bare))


class FittedTable:
    """A table that is fitted to the console when it is printed; ``--wide`` and pipes show every column in full."""

    def __init__(self, columns: Sequence[str], *, title: str | None = None) -> None:
        self._columns = [_Column.parse(column) for column in columns]
        self._title = title
        self._rows: list[list[Text]] = []
        self._has_short_names = False

    def add_row(self, *cells: str | Text) -> None:
        """Add a row; missing cells at its end are empty."""
        row = [cell.copy() if isinstance(cell, Text) else Text(one_line(cell)) for cell in cells]
        self._rows.append(row + [Text("")] * (len(self._columns) - len(row)))

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines of the table."""
        del console
        common = self._common_beginning(options.max_width)
        yield from (self._without(common) if common else self)._lines(options.max_width)
        if common:
            yield Text(f"… stands for {common}", style="dim")

    @property
    def width(self) -> int:
        """Columns of a terminal that shows all of it."""
        return sum(self._widths(range(len(self._columns))).values()) + _GAP * (len(self._columns) - 1)

    def _lines(self, width: int) -> Iterator[Segment | Text]:
        columns_shown, left_out = self._fit(width)
        widths = self._widths(columns_shown)
        self._shrink(columns_shown, widths, width)
        if self._title:
            yield Text(self._title, style="italic")
        if any(self._columns[index].head for index in columns_shown):
            yield from self._line(
                [Text(self._columns[index].head, "bold") for index in columns_shown], columns_shown, widths
            )
        for row in self._rows:
            yield from self._line([row[index] for index in columns_shown], columns_shown, widths)
        if left_out:
            names = ", ".join(self._columns[index].head for index in left_out)
            yield Text(f"not shown: {names} (--wide shows all)", style="dim")

    def _common_beginning(self, width: int) -> str:
        """What all names begin with and may be left out, where the table does not fit."""
        names = [row[0].plain for row in self._rows]
        if self.width <= width or len(set(names)) < 2:
            return ""
        shared = os.path.commonprefix(names)  # noqa: RUF071 -- by characters; the cut to a whole word follows
        # the last whole word of it stays
        cut = max((shared.rfind(mark, 0, len(shared) - 1) for mark in "-./"), default=-1) + 1
        return shared[:cut] if cut >= _COMMON else ""

    def _without(self, beginning: str) -> FittedTable:
        """The table with … in the place of what its names begin with."""
        table = copy.copy(self)
        table._rows = [[Text.assemble("…", name[len(beginning) :]), *cells] for name, *cells in self._rows]
        table._has_short_names = True
        return table

    def _natural(self, index: int) -> int:
        return max(cell_len(self._columns[index].head), *(cell_len(row[index].plain) for row in self._rows), 0)

    def _widths(self, columns_shown: Sequence[int]) -> dict[int, int]:
        return {index: self._natural(index) for index in columns_shown}

    def _least(self, index: int) -> int:
        natural = self._natural(index)
        if index == 0 and self._has_short_names and natural < _NAME:
            return natural  # of names that were shortened already nothing is left to take
        # figures are never cut; a head is
        shortest = max(_SHORTEST, cell_len(self._columns[index].head))
        return natural if self._columns[index].right else min(natural, shortest)

    def _fit(self, width: int) -> tuple[list[int], list[int]]:
        columns_shown = list(range(len(self._columns)))
        left_out: list[int] = []
        while True:
            dispensable = [index for index in columns_shown if self._columns[index].dispensable]
            # a long name is elided before columns go, but not so far that rows look alike
            needed = sum(min(self._natural(i), _NAME) if i == 0 else self._natural(i) for i in columns_shown)
            needed += _GAP * (len(columns_shown) - 1)
            if needed <= width:
                return columns_shown, sorted(left_out)
            if not dispensable:
                # names can be elided; beyond that a whole column goes before a word is cut
                least = sum(map(self._least, columns_shown)) + _GAP * (len(columns_shown) - 1)
                if least <= width or len(columns_shown) <= 2:
                    return columns_shown, sorted(left_out)
                dispensable = columns_shown[1:]
            last = max(dispensable, key=lambda index: (self._columns[index].dispensable, index))
            columns_shown.remove(last)
            left_out.append(last)

    def _shrink(self, columns_shown: Sequence[int], widths: dict[int, int], width: int) -> None:
        over = sum(widths.values()) + _GAP * (len(columns_shown) - 1) - width
        while over > 0:
            able = [index for index in columns_shown if widths[index] > self._least(index)]
            if not able:
                return
            widest = max(able, key=lambda index: widths[index])
            widths[widest] -= 1
            over -= 1

    def _line(
        self, cells: Sequence[Text], columns_shown: Sequence[int], widths: dict[int, int]
    ) -> Iterator[Segment | Text]:
        line = Text(no_wrap=True, overflow="ignore", end="\n")
        for position, (index, cell) in enumerate(zip(columns_shown, cells, strict=True)):
            text = elide(cell, widths[index])
            space = " " * (widths[index] - cell_len(text.plain))
            last = position == len(columns_shown) - 1
            if self._columns[index].right:
                line.append(space)
                line.append_text(text)
            else:
                line.append_text(text)
                line.append("" if last else space)
            line.append("" if last else " " * _GAP)
        yield line


def elide(text: Text, width: int) -> Text:
    """``text`` with its middle replaced by ``…`` where it is longer than ``width``; names differ at their ends."""
    plain = text.plain
    if cell_len(plain) <= width:
        return text
    tail = max(1, (width - 1) * 2 // 3)
    return Text(f"{plain[: width - 1 - tail]}…{plain[-tail:]}", style=text.style)
