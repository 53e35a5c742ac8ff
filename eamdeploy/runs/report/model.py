"""What a report is made of, before it is HTML or Markdown: sections with text, tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: what is shown.
        sort: what it is sorted by; the text where ``None``.
        badge: a kind to mark it by (``measured``, ``suspect``, ``better``, …); never the only carrier of its meaning.
        note: a longer explanation, shown below the text.
    """

    text: str
    sort: float | str | None = None
    badge: str = ""
    note: str = ""


@dataclass(frozen=True)
class Column:
    """A column's heading; ``numeric`` ones are aligned right."""

    label: str
    numeric: bool = False


@dataclass(frozen=True)
class ReportTable:
    """A table that a reader can sort and filter.

    Attributes:
        name: unique in the report; used as an HTML id.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Figure:
    """A figure as inline SVG, for a wide and a narrow screen.

    Attributes:
        description: in words, what the figure shows; for readers who cannot see it.
    """

    name: str
    caption: str
    description: str
    wide: str
    narrow: str


@dataclass(frozen=True)
class FigureGroup:
    """Tables and figures about one place."""

    title: str
    tables: tuple[ReportTable, ...]
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Fold:
    """What a reader opens if it is wanted: a title, and what is below it."""

    title: str
    figures: tuple[Figure, ...] = ()
    tables: tuple[ReportTable, ...] = ()


@dataclass(frozen=True)
class Section:
    """A heading with what belongs below it.

    Attributes:
        lead: the result in words, in large type.
        folds: what is shown once it is opened.
        absent: why there is nothing to show, in words, and what to do about it.
    """

    name: str
    title: str
    text: str = ""
    lead: str = ""
    groups: tuple[FigureGroup, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[ReportTable, ...] = ()
    folds: tuple[Fold, ...] = ()
    absent: str = ""

    @property
    def shows(self) -> bool:
        """Whether there is anything but words."""
        return bool(self.groups or self.figures or self.tables or self.folds)


@dataclass(frozen=True)
class Report:
    """A whole report.

    Attributes:
        facts: label and value, shown below the title.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


def table(name: str, caption: str, columns: Sequence[str], rows: Sequence[Sequence[Cell | str]]) -> ReportTable:
    """A table from plain texts and cells; ``>`` before a heading: numeric; columns without a value are left out."""
    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    used = [index for index in range(len(columns)) if any(row[index].text not in ("", "–") for row in cells)]
    heads = tuple(Column(columns[index].removeprefix(">"), columns[index].startswith(">")) for index in used)
    return ReportTable(name, caption, heads, tuple(tuple(row[index] for index in used) for row in cells))


@dataclass
class Names:
    """Gives out names that are unique in a report and safe in an HTML id."""

    in_use: set[str] = field(default_factory=set)

    def unique(self, text: str) -> str:
        """A name made of ``text``'s letters and digits."""
        base = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text.lower())
        base = "-".join(part for part in base.split("-") if part) or "part"
        name, number = base, 2
        while name in self.in_use:
            name, number = f"{base}-{number}", number + 1
        self.in_use.add(name)
        return name
