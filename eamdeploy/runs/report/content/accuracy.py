"""What a run confuses: figure for few classes, tables for many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eamdeploy.base.results import Run
from eamdeploy.runs.report.content import words
from eamdeploy.runs.report.figures.confusion import confusion_matrix
from eamdeploy.runs.report.model import Cell, Names, ReportTable, table

_MOST_PAIRS = 12


def class_names(manifest: Any) -> list[str]:
    """The names of the classes in a manifest; empty where it has none."""
    classes = manifest.get("classes") if isinstance(manifest, dict) else None
    return [str(name) for name in classes] if isinstance(classes, list) else []


def classes_table(names: Names, run: Run, classes: Sequence[str]) -> ReportTable | None:
    """Accuracy of each class, and what it is most often taken for."""
    matrix = confusion_matrix(run)
    if matrix is None:
        return None
    rows: list[list[Cell | str]] = []
    for true, counts in enumerate(matrix):
        total = int(counts.sum())
        if not total:
            continue
        wrong = counts.copy()
        wrong[true] = 0
        worst = int(wrong.argmax())
        share = 100 * int(counts[true]) / total
        wrong_class = f"{_name(classes, worst)} ({wrong[worst]})" if wrong[worst] else "–"
        rows.append([_name(classes, true), Cell(f"{total:,}", total), Cell(f"{share:.1f} %", share), wrong_class])
    caption = f"Accuracy of each class, {words.artifact(run)}"
    columns = ("class", ">images", ">accuracy", "most often taken for (images)")
    return table(names.unique("classes"), caption, columns, rows)


def pairs_table(names: Names, run: Run, classes: Sequence[str]) -> ReportTable | None:
    """The most frequent confusions; ``None`` where there are none."""
    confused = (run.accuracy.confused if run.accuracy else None) or ()
    wrong = sorted((row for row in confused if row[0] != row[1]), key=lambda row: -row[2])[:_MOST_PAIRS]
    rows: list[list[Cell | str]] = [
        [_name(classes, a), _name(classes, b), Cell(f"{count:,}", count)] for a, b, count in wrong
    ]
    columns = ("true class", "predicted class", ">images")
    return table(names.unique("confusions"), "Most frequent confusions", columns, rows) if rows else None


def _name(classes: Sequence[str], index: int) -> str:
    return classes[index] if index < len(classes) else f"class {index}"
