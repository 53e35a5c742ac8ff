"""What a classifier's output means, and the one place that turns it into classes.

    head = parse_head("sigmoid,threshold=0.3")
    scores = head.scores(outputs, ("score",), images=4)
    head.answers(scores)  # which class, or which labels

A head is written into artifacts, found from what a file answers (:mod:`eamdeploy.inference.head_finding`), or given by the user.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eamdeploy.base.errors import UsageError, did_you_mean

Scores = npt.NDArray[np.float64]
KINDS: Mapping[str, str] = {
    "logits": "one score a class, of any size; the largest wins",
    "probabilities": "one probability a class, and they sum to 1",
    "sigmoid": "one probability, that of the second of two classes",
    "single-logit": "one score whose sigmoid is the probability of the second of two classes",
    "multi-label": "one probability a label, each on its own",
    "multi-label-logits": "one score a label whose sigmoid is its probability",
    "ids": "the number of the best class",
}
_LOGITS = ("logits", "single-logit", "multi-label-logits")
_TWO_CLASSES = ("sigmoid", "single-logit")


@dataclass(frozen=True)
class Head:
    """The meaning of the output that holds the classes.

    Attributes:
        kind: a key of :data:`KINDS`.
        output: the name of that output; ``None`` where the artifact has only one.
        threshold: the probability above which a single score or a label counts as yes.
    """

    kind: str = "logits"
    output: str | None = None
    threshold: float = 0.5

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            UsageError: for an unknown kind or a threshold that is no probability.
        """
        if self.kind not in KINDS:
            raise UsageError(f"unknown kind of head '{self.kind}'", hint=did_you_mean(self.kind, KINDS))
        if not 0 < self.threshold < 1:
            raise UsageError(f"the threshold of a head is a probability between 0 and 1, and is {self.threshold:g}")

    @property
    def multi_label(self) -> bool:
        """Whether an image can have several labels, or none."""
        return self.kind.startswith("multi-label")

    @property
    def two_classes(self) -> bool:
        """Whether it gives one score that decides between two classes."""
        return self.kind in _TWO_CLASSES

    def classes_of(self, width: int) -> int | None:
        """The number of classes that an output with ``width`` values an image speaks of; ``None`` where it does not say."""
        if self.kind in _TWO_CLASSES:
            return 2
        return None if self.kind == "ids" else width

    def scores(
        self, outputs: Sequence[npt.NDArray[Any]], names: Sequence[str], *, images: int, where: object = None
    ) -> Scores:
        """The values of the output that holds the classes, (images, width).

        Args:
            outputs: of one run, in the artifact's order.
            names: their names.
            images: how many images went in.
            where: the artifact, for messages.

        Raises:
            UsageError: when there is no such output, or it is not one row an image.
        """
        position = 0
        if self.output is not None:
            if self.output not in names:
                hint = did_you_mean(self.output, names)
                raise UsageError(f"the artifact has no output '{self.output}'", where=where, hint=hint)
            position = list(names).index(self.output)
        if position >= len(outputs):
            raise UsageError("the artifact has no output", where=where)
        values = np.asarray(outputs[position], dtype=np.float64)
        if not values.size or values.size % images:
            why = f"the output '{names[position]}' is {values.shape} for {images} images"
            raise UsageError("the artifact does not answer once for each image", where=where, why=why)
        return values.reshape(images, -1)

    def probabilities(self, scores: Scores) -> Scores:
        """Of each class (or label), (n, classes); for class numbers 1 at the number and 0 elsewhere."""
        if self.kind == "logits":
            shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
            return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
        if self.kind == "ids":
            return self.ranking(scores)
        values = _sigmoid(scores) if self.kind in _LOGITS else scores
        return np.concatenate([1 - values, values], axis=1) if self.kind in _TWO_CLASSES else values

    def ranking(self, scores: Scores, classes: int | None = None) -> Scores:
        """Scores whose largest is the answer, (n, classes): for top-1, top-5 and confusion.

        Raises:
            UsageError: for labels that do not exclude each other: none of them is the best.
        """
        if self.multi_label:
            why = "its labels do not exclude each other"
            raise UsageError("a multi-label classifier has no best class", why=why)
        if self.kind in _TWO_CLASSES:
            yes = self.probabilities(scores)[:, 1]
            return np.stack([np.zeros_like(yes), yes - self.threshold], axis=1)
        if self.kind == "ids":
            numbers = self.answers(scores)[:, 0]
            width = int(max(classes or 0, numbers.max(initial=0) + 1))
            return np.asarray(numbers[:, None] == np.arange(width), dtype=np.float64)
        return scores

    def answers(self, scores: Scores) -> npt.NDArray[np.int64]:
        """The class of each image, (n, 1); of a multi-label head 0 or 1 for each label, (n, labels)."""
        if self.multi_label:
            return np.asarray(self.probabilities(scores) > self.threshold, dtype=np.int64)
        if self.kind == "ids":
            return np.asarray(np.rint(scores[:, :1]), dtype=np.int64)
        return np.asarray(self.ranking(scores).argmax(axis=1)[:, None], dtype=np.int64)

    def changed(self, scores: Scores, other_scores: Scores) -> npt.NDArray[np.bool_]:
        """The images on which two runs answer differently, (n,)."""
        return np.asarray((self.answers(scores) != self.answers(other_scores)).any(axis=1))

    def describe(self) -> str:
        """For a message: the kind and what it means."""
        place = "" if self.output is None else f" of output '{self.output}'"
        above = f", yes above {self.threshold:g}" if self.multi_label or self.kind in _TWO_CLASSES else ""
        return f"{self.kind}{place} ({KINDS[self.kind]}{above})"

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Head:
        """The inverse of :meth:`to_dict`.

        Raises:
            UsageError: for an unknown field or a value of another type.
        """
        types: dict[str, tuple[type, ...]] = {"kind": (str,), "output": (str, type(None)), "threshold": (float, int)}
        for name, value in values.items():
            if name not in types:
                raise UsageError(f"unknown field '{name}' of a head", hint=did_you_mean(name, types))
            if not isinstance(value, types[name]) or isinstance(value, bool):
                raise UsageError(f"the head's {name} cannot be {value!r}")
        return cls(**values)


def parse_head(text: str) -> tuple[str | None, dict[str, Any]]:
    """What ``KIND[,output=NAME][,threshold=P]`` says: the kind, where it is given, and the other fields.

    Raises:
        UsageError: when it is none of these.
    """
    kind: str | None = None
    fields: dict[str, Any] = {}
    for part in (piece.strip() for piece in text.split(",")):
        name, equals, value = part.partition("=")
        if not equals and kind is None and not fields:
            kind = name
            Head(kind)
        elif name == "output" and value:
            fields["output"] = value
        elif name == "threshold":
            try:
                fields["threshold"] = float(value)
            except ValueError:
                raise UsageError(f"the threshold of a head is a number, not '{value}'") from None
        else:
            hint = "such as logits, or sigmoid,threshold=0.3, or output=scores"
            raise UsageError(f"a head is KIND[,output=NAME][,threshold=P], not '{text}'", hint=hint)
    Head(kind or "logits", **fields)
    return kind, fields


def _sigmoid(values: Scores) -> Scores:
    # split by sign: exp of a large positive number overflows
    small = np.exp(-np.abs(values))
    return np.asarray(np.where(values >= 0, 1 / (1 + small), small / (1 + small)))
