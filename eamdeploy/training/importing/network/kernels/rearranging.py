"""Whether a chain of operators that only move elements leaves every element where it was."""

from __future__ import annotations

import torch
from torch import fx

from eamdeploy.training.importing.network.tracing.evaluate import evaluate
from eamdeploy.training.importing.network.tracing.trace import Traced

# a map of this many elements is looked at; the proof compares everything in any case
MOST_ELEMENTS = 50_000_000


def is_unchanged(traced: Traced, start: fx.Node, end: fx.Node) -> bool:
    """Whether ``end`` holds the elements of ``start`` in the same order; both have as many."""
    if start is end:
        return True
    count = 1
    for size in traced.shapes[start.name]:
        count *= size
    if count > MOST_ELEMENTS:
        return False
    indices = torch.arange(count, dtype=torch.int64).reshape(traced.shapes[start.name])
    try:
        moved = evaluate(traced, end, {start.name: indices}, {})
    except LookupError:
        return False
    return bool(torch.equal(moved.flatten(), indices.flatten()))
