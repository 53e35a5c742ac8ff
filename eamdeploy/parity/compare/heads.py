"""Bring scores that mean different things into the one form in which they can be compared."""

from __future__ import annotations

from dataclasses import replace

from eamdeploy.inference.head import Head
from eamdeploy.inference.head_finding import look_of
from eamdeploy.parity.compare.metrics import Array

# the same answer before and after its softmax or sigmoid
_AFTER = {"logits": "probabilities", "single-logit": "sigmoid", "multi-label-logits": "multi-label"}
_BEFORE = {after: before for before, after in _AFTER.items()}


def common_form(
    value: Array, reference: Array, head: Head, declared: Head | None = None
) -> tuple[Array, Array, Head, str | None]:
    """Scores of an artifact and of its reference in one form.

    Args:
        value: of the artifact, (n, width).
        reference: (n, width).
        head: of the reference.
        declared: of the artifact, where it says; else what its values look like decides.

    Returns:
        both, the head that they now have, and a sentence where one of them was converted.
    """
    kind = declared.kind if declared is not None else _counterpart(value, reference, head.kind)
    if kind == head.kind or kind not in (_AFTER.get(head.kind), _BEFORE.get(head.kind)):
        return value, reference, head, None
    remark = f"compared as probabilities: the reference gives {head.kind} and the artifact {kind}"
    if kind in _AFTER:
        return as_probabilities(value, kind), reference, head, remark
    return value, as_probabilities(reference, head.kind), replace(head, kind=kind), remark


def as_probabilities(scores: Array, kind: str) -> Array:
    """Softmax or sigmoid of (n, width), of the width that they had."""
    values = Head(kind).probabilities(scores)
    return values[:, 1:] if scores.shape[1] == 1 else values


def _counterpart(value: Array, reference: Array, kind: str) -> str:
    """The kind that the artifact's values have: the reference's, or that before or after its softmax or sigmoid."""
    look = look_of(value)
    if look == look_of(reference):
        return kind
    if look == _AFTER.get(kind):
        return look
    outside = look in ("logits", "single-logit")
    return _BEFORE[kind] if kind in _BEFORE and outside else kind
