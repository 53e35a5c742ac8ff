"""Find which output of an artifact holds the classes and what it means, from its last operator and its answers to real pictures.

Only what those leave no doubt about is taken; otherwise the user is asked, with the choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eamdeploy.base.errors import UsageError
from eamdeploy.data import embedded_sample
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.inference.head import Head, parse_head
from runtimes.protocol import RuntimeOptions
from runtimes.readers.final_operator import final_operator
from runtimes.registry import runtime_for
from runtimes.trial.session import load_untrusted

PICTURES = 16
_LINEAR = ("Add", "Conv", "Gemm", "MatMul")  # operators whose values know no bounds
_OF_NEIGHBOURS = 0.25  # of the largest score; scales that a runtime takes from a whole batch change far less
SUM_TOLERANCE = 0.02  # of fp16 and int8 probabilities

Answers = dict[str, npt.NDArray[Any]]


def find_head(
    path: Path, preprocessing: Preprocessing, *, classes: int | None = None, head_text: str | None = None
) -> tuple[Head, int | None]:
    """The head of a foreign artifact and its number of classes, where the output tells.

    Args:
        preprocessing: how images become its input.
        classes: how many there are, where that is known.
        head_text: what the user says of it: ``KIND[,output=NAME][,threshold=P]``, each part optional.

    Raises:
        UsageError: when the artifact does not run, what is said does not fit, or the answers leave a doubt.
    """
    kind, fields = (None, {}) if head_text is None else parse_head(head_text)
    answers = sample_answers(path, preprocessing)
    name = choose_output(answers, fields.get("output"), classes=classes, where=path)
    values = answers[name]
    rows = values.reshape(len(values), -1)
    head = Head(kind or _kind(final_operator(path, name), values.dtype, rows.astype(np.float64), path), **fields)
    if len(answers) > 1:
        head = Head(head.kind, name, head.threshold)
    if head.classes_of(1) == 2 and rows.shape[1] != 1:
        why = f"the output '{name}' has {rows.shape[1]} values an image"
        raise UsageError(f"a head of the kind {head.kind} is one value an image", where=path, why=why)
    return head, head.classes_of(rows.shape[1])


def sample_answers(path: Path, preprocessing: Preprocessing) -> Answers:
    """Every output of the artifact for some embedded pictures, by name, in the artifact's order.

    Raises:
        UsageError: when the artifact does not run on them, or answers otherwise for a picture alone.
    """
    pictures = embedded_sample()
    step = max(1, len(pictures) // PICTURES)
    batch = preprocessing.apply_batch(pictures.image(index) for index in range(0, step * PICTURES, step))
    session = load_untrusted(runtime_for(path), path, RuntimeOptions())
    try:
        outputs = session.run(batch)
        if session.inputs[0].shape[0] is None:
            _check_alone(session.run(batch[:1]), outputs, path)
        return {tensor.name: np.asarray(value) for tensor, value in zip(session.outputs, outputs, strict=True)}
    finally:
        session.close()


def _check_alone(alone: Sequence[npt.NDArray[Any]], together: Sequence[npt.NDArray[Any]], path: Path) -> None:
    """A softmax along the batch, for one, makes a picture's answer depend on its neighbours: no figure of it means anything."""
    for single, many in zip(alone, together, strict=True):
        # a class's number may change for rounding where two classes tie
        if single.shape[:1] != (1,) or many.shape[1:] != single.shape[1:] or single.dtype.kind != "f":
            continue
        expected, single_rows = (np.asarray(values[0], dtype=np.float64).ravel() for values in (single, many))
        scale = max(float(np.abs(expected).max(initial=0.0)), float(np.abs(single_rows).max(initial=0.0)))
        if float(np.abs(expected - single_rows).max(initial=0.0)) > _OF_NEIGHBOURS * scale:
            why = "its answer to a picture is another when others are in the batch"
            hint = "export it with a batch of 1, or look for a softmax or a mean along the first axis"
            raise UsageError("the artifact does not answer image by image", where=path, why=why, hint=hint)


def choose_output(answers: Answers, named: str | None, *, classes: int | None, where: Path) -> str:
    """The output that holds the classes: the one named, the only one, or the only one of a fitting shape.

    Raises:
        UsageError: when none fits, or several do.
    """
    shapes = ", ".join(f"{name} {'x'.join(map(str, value.shape))}" for name, value in answers.items())
    if named is not None:
        if named not in answers:
            raise UsageError(f"the artifact has no output '{named}'", where=where, hint=f"it has {shapes}")
        return named
    fitting = {name: _width(value) for name, value in answers.items() if _width(value) is not None}
    if classes is not None and len(fitting) > 1:
        fitting = {name: width for name, width in fitting.items() if width == classes} or fitting
    if len(fitting) == 1:
        return next(iter(fitting))
    if not fitting:
        why = f"no output is one row of scores an image: {shapes}"
        raise UsageError("not a classifier", where=where, why=why)
    why = f"several of its outputs could hold the classes: {shapes}"
    raise UsageError("which output?", where=where, why=why, hint="say it as the head: output=NAME")


def _width(value: npt.NDArray[Any]) -> int | None:
    """Values an image, where the output is one row an image: (N,), (N, C), (N, C, 1, 1), (N, 1, 1, C)."""
    long = [size for size in value.shape[1:] if size != 1]
    return None if len(value) != PICTURES or len(long) > 1 else (long or [1])[0]


def shown_head(path: Path, output: str) -> Head | None:
    """The head where the last operator alone says it: a softmax, whose 8-bit probabilities need not sum to 1."""
    return Head("probabilities") if final_operator(path, output) == "Softmax" else None


def _kind(operator: str | None, dtype: np.dtype[Any], rows: npt.NDArray[np.float64], where: Path) -> str:
    """What the operator and the values say."""
    if not np.isfinite(rows).all():
        raise UsageError("the artifact answers with a NaN or an infinity", where=where)
    if dtype.kind in "iu" or dtype.kind == "b":
        if rows.shape[1] == 1:
            return "ids"
        raise _doubt(where, f"its answer is {rows.shape[1]} whole numbers an image", ("logits", "probabilities"))
    if operator == "Softmax" and rows.shape[1] > 1:
        return "probabilities"
    look = look_of(rows)
    if operator in _LINEAR and look == "multi-label":
        return "logits"
    if operator in _LINEAR and look == "sigmoid":
        why = "its answer is one number an image, between 0 and 1 on the sample images and not bound to that"
        raise _doubt(where, why, ("single-logit", "sigmoid"))
    if look == "single-logit":
        raise _doubt(where, "its answer is one number an image, not always between 0 and 1", ("single-logit",))
    if look == "multi-label":
        why = f"its {rows.shape[1]} numbers an image are between 0 and 1 and do not sum to 1"
        raise _doubt(where, why, ("multi-label", "logits"))
    return look


def look_of(rows: npt.NDArray[np.float64]) -> str:
    """The kind of head whose values (n, width) look like these; only probabilities that sum to 1 are sure."""
    inside = bool((rows >= -1e-6).all() and (rows <= 1 + 1e-6).all())
    if rows.shape[1] == 1:
        return "sigmoid" if inside else "single-logit"
    if not inside:
        return "logits"
    return "probabilities" if bool((np.abs(rows.sum(axis=1) - 1) < SUM_TOLERANCE).all()) else "multi-label"


def _doubt(where: Path, why: str, choices: Sequence[str]) -> UsageError:
    hint = f"say what it is as the head: {' or '.join(choices)}"
    return UsageError("the artifact does not show what its answer means", where=where, why=why, hint=hint)
