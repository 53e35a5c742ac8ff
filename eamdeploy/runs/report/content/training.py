"""What ``train`` logged: the ``metrics.csv`` of one or several runs."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eamdeploy.base.errors import DataError
from eamdeploy.runs.report.content.words import figure
from eamdeploy.runs.report.model import Cell, Names, ReportTable, table

COLUMNS = ("epoch", "loss", "train_top1", "top1", "lr")
_HINT = "give the folder of a run: eamdeploy train --out RUN"
_LIMIT_BYTES = 16_000_000


@dataclass(frozen=True)
class TrainingRun:
    """One run's history.

    Attributes:
        name: the folder's name.
        rows: an epoch each, in order: ``epoch``, ``loss``, ``train_top1`` and ``top1`` in percent, ``lr``.
    """

    name: str
    rows: tuple[dict[str, float], ...]


def read_training(folder: Path) -> TrainingRun:
    """Read what ``eamdeploy train --out FOLDER`` logged.

    Raises:
        DataError: when there is no log in the folder, or it is something else.
    """
    path = folder / "metrics.csv" if folder.is_dir() else folder
    try:
        if path.stat().st_size > _LIMIT_BYTES:
            raise DataError("not a training log", where=path, why="it is too large", hint=_HINT)
        with path.open(encoding="utf-8", newline="") as file:
            rows = tuple({name: float(row[name]) for name in COLUMNS} for row in csv.DictReader(file))
    except OSError as error:
        raise DataError("cannot read the training log", where=path, why=error.strerror, hint=_HINT) from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        why = f"a row lacks a number for one of {', '.join(COLUMNS)}"
        raise DataError("not a training log", where=path, why=why, hint=_HINT) from error
    if not rows or not all(math.isfinite(value) for row in rows for value in row.values()):
        raise DataError(
            "not a training log", where=path, why="it has no finished epoch, or no finite numbers", hint=_HINT
        )
    return TrainingRun((folder if folder.is_dir() else folder.parent).resolve().name, rows)


def training_table(names: Names, runs: Sequence[TrainingRun]) -> ReportTable | None:
    """Best and last accuracy of each run."""
    rows: list[list[Cell | str]] = []
    for run in runs:
        best, last = max(run.rows, key=lambda row: row["top1"]), run.rows[-1]
        rows.append(
            [
                run.name,
                Cell(f"{len(run.rows)}", len(run.rows)),
                Cell(f"{last['top1']:.2f} %", last["top1"]),
                Cell(f"{best['top1']:.2f} % (epoch {best['epoch']:.0f})", best["top1"]),
                Cell(f"{last['train_top1']:.2f} %", last["train_top1"]),
                Cell(figure(last["loss"]), last["loss"]),
            ]
        )
    columns = ("run", ">epochs", ">test top-1", ">best test top-1", ">training top-1", ">loss")
    return table(names.unique("training runs"), "Training runs", columns, rows) if rows else None
