"""Tables and numbers of the page."""

from __future__ import annotations

from collections.abc import Iterable


def table(head: Iterable[str], body: Iterable[Iterable[str]]) -> str:
    names = list(head)
    marks = ["---" if i == 0 else "---:" for i in range(len(names))]
    return "\n".join("| " + " | ".join(line) + " |" for line in ([*names], marks, *([*row] for row in body)))


def number(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{value:.{digits}f}"
