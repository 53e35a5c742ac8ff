"""Classifiers from elsewhere: the user says what their files do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from eamdeploy.base.errors import DataError, UsageError
from eamdeploy.data.class_list import read_class_list
from eamdeploy.data.class_map import UNNAMED
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.data.preprocessing_said import read_said
from eamdeploy.inference.head import Head, parse_head
from eamdeploy.inference.head_finding import find_head
from eamdeploy.inference.model_card import ModelCard, is_artifact, read_card
from runtimes.readers.metadata import read_metadata


def said_card(model: Path | str, preprocessing: str | None, labels: Path | None, head: str | None) -> ModelCard | None:
    """The card of an artifact about which the user says something; ``None`` where nothing is said.

    Raises:
        UsageError: when what is said does not fit, or ``model`` is a checkpoint, which knows these things.
    """
    if preprocessing is None and labels is None and head is None:
        return None
    if not is_artifact(model):
        hint = "leave preprocessing, labels and head out"
        raise UsageError("a checkpoint knows its preprocessing, classes and head", where=model, hint=hint)
    return artifact_card(Path(model), preprocessing, labels, head)


def artifact_card(
    path: Path,
    preprocessing: str | None = None,
    labels: Path | None = None,
    head: str | None = None,
    *,
    made_from_it: Sequence[Path] = (),
) -> ModelCard:
    """The card of an artifact: what it says of itself, or for a foreign one what the user says.

    Args:
        preprocessing: JSON, or a file with it.
        labels: file of class names, one a line.
        head: what its output means: ``KIND[,output=NAME][,threshold=P]``; found from its answers where nothing is said.
        made_from_it: artifacts that may know, such as a quantized form of it.

    Raises:
        UsageError: when nobody says how images become its input, or what is said does not fit.
    """
    if preprocessing is None and labels is None:
        for candidate in (path, *made_from_it):
            if not read_metadata(candidate).foreign:
                card = replace(read_card(candidate), path=path)
                return card if head is None else replace(card, head=_said_over(card.head, head))
    if preprocessing is None:
        read_metadata(path)
        why = "it does not say how images become its input"
        hint = 'say it with `preprocessing` \'{"size": 224, "resize": 256}\''
        raise UsageError("the artifact was not made by eamdeploy", where=path, why=why, hint=hint)
    names = None if labels is None else read_class_list(labels)
    return foreign_card(path, read_preprocessing(preprocessing), names, head)


def foreign_card(
    path: Path, preprocessing: Preprocessing, labels: tuple[str, ...] | None, head: str | None = None
) -> ModelCard:
    """A card for a classifier from elsewhere; without ``labels`` its classes are numbered.

    Raises:
        UsageError: when the artifact does not run, has another number of classes, or its head is neither found nor said.
    """
    card_head, count = find_head(path, preprocessing, classes=None if labels is None else len(labels), head_text=head)
    if count is None and labels is None:
        why = "its answer is the number of a class, which does not say how many there are"
        raise UsageError("the class names are needed", where=path, why=why, hint="give them as labels, one a line")
    if labels is not None and count not in (None, len(labels)):
        raise UsageError(f"{len(labels)} labels were given for {count} classes", where=path)
    return ModelCard(path, labels or _numbered(count or 0), preprocessing, card_head)


def _said_over(head: Head, head_text: str) -> Head:
    """What the user says in place of what the file says, part by part."""
    kind, fields = parse_head(head_text)
    return Head.from_dict({**head.to_dict(), **({} if kind is None else {"kind": kind}), **fields})


def read_preprocessing(text: str) -> Preprocessing:
    """A preprocessing from JSON, given as text or as the path of a file.

    Raises:
        UsageError: when it is neither, or a field does not fit.
    """
    return read_said(text).preprocessing


def class_names(path: Path | None, classes: int) -> tuple[str, ...]:
    """So many names: those in the file, or numbered ones where none is given.

    Raises:
        DataError: when the file cannot be read or holds another number.
    """
    if path is None:
        return _numbered(classes)
    names = read_class_list(path)
    if len(names) != classes:
        raise DataError(f"{len(names)} class names for {classes} classes", where=path)
    return names


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(UNNAMED.format(index) for index in range(count))
