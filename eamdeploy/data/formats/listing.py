"""A table of pictures and their labels: for images that have several labels, or none."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from eamdeploy.base.decoding import read_limited
from eamdeploy.base.errors import DataError, UsageError
from eamdeploy.data.class_list import position_of
from eamdeploy.data.picture import read_image

LISTING = "labels.csv"
COLUMNS = ("path", "labels")
SEPARATOR = ";"
_HINT = "its first line is path,labels, and each other one a picture's path and its labels: photos/1.jpg,cat;sofa"


class ListedImages:
    """A CSV file with a picture a row: its path, from the file's folder, and its labels with semicolons between them.

    Attributes:
        label_sets: the labels of each picture, as positions in ``classes``.
    """

    def __init__(self, table: Path, classes: tuple[str, ...] | None = None) -> None:
        self.table, self.name = table, table.parent.name or table.stem
        rows = list(_rows(table))
        names = tuple(sorted({label for _, labels in rows for label in labels}))
        self.classes = names if classes is None else classes
        places = {label: position_of(label, self.classes, table) for label in names}
        unknown = next((label for label, place in places.items() if place is None), None)
        if unknown is not None:
            why = f"it has '{unknown}', and the model {', '.join(self.classes[:3])}{', …' if len(self.classes) > 3 else ''}"
            raise DataError("the data's labels are not the model's", where=table, why=why)
        self.files = [path for path, _ in rows]
        self.label_sets = tuple(
            tuple(sorted({place for label in labels if (place := places[label]) is not None})) for _, labels in rows
        )

    def __len__(self) -> int:
        """Number of images."""
        return len(self.files)

    def image(self, index: int) -> Image.Image:
        """The decoded picture."""
        return read_image(self.table.parent / self.files[index])

    def label(self, index: int) -> int:
        """Its one label.

        Raises:
            DataError: when it has several, or none: only a multi-label classifier has a use for it.
        """
        labels = self.label_sets[index]
        if len(labels) != 1:
            why = f"{self.files[index]} has {len(labels)} labels"
            hint = "say that its labels do not exclude each other: head multi-label or multi-label-logits"
            raise DataError(
                "the model gives each image one class, and the data does not", where=self.table, why=why, hint=hint
            )
        return labels[0]

    def key(self, index: int) -> str:
        """Its path as the table has it."""
        return self.files[index]

    def with_classes(self, classes: tuple[str, ...]) -> ListedImages:
        """The same with labels in the order of ``classes``; as it is where those are others."""
        return ListedImages(self.table, classes) if set(self.classes) <= set(classes) else self


def find_listing(root: Path) -> Path | None:
    """The table that ``root`` is, or that lies in it."""
    if root.is_file() and root.suffix.lower() == ".csv":
        return root
    return root / LISTING if (root / LISTING).is_file() else None


def _rows(table: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    try:
        text = read_limited(table, what="cannot read the table of labels").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("the table of labels is not UTF-8", where=table, why=error) from error
    except UsageError as error:
        raise DataError(error.what, where=table, why=error.why, hint=error.hint) from error
    reader = csv.reader(io.StringIO(text, newline=""))
    head = next(reader, [])
    if tuple(name.strip().lower() for name in head) != COLUMNS:
        raise DataError(
            "not a table of pictures and labels", where=table, why=f"it begins with {','.join(head)!r}", hint=_HINT
        )
    paths: set[str] = set()
    for row in reader:
        if not any(cell.strip() for cell in row):
            continue
        where = f"{table}, line {reader.line_num}"
        if len(row) != len(COLUMNS) or not row[0].strip():
            raise DataError("not a picture and its labels", where=where, why=f"it has {len(row)} fields", hint=_HINT)
        path = row[0].strip()
        if path in paths:
            raise DataError(f"'{path}' is listed twice", where=where)
        if not (table.parent / path).is_file():
            raise DataError(f"there is no picture '{path}'", where=where, hint="paths begin at the table's folder")
        paths.add(path)
        yield path, tuple(label for part in row[1].split(SEPARATOR) if (label := part.strip()))
    if not paths:
        raise DataError("the table lists no picture", where=table)
