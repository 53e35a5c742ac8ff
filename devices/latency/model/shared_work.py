"""How much of their work two networks share, as far as a latency goes: common errors cancel in a ratio, the rest does not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from devices.latency.model.terms import PRIOR, select

Array = npt.NDArray[np.float64]
WEIGHTED = (
    "macs",
    "grouped_macs",
    "depthwise_macs",
    "patches",
    "activations",
    "element",
    "weights",
    "windows",
    "operators",
)


def shared_share(a: Array, b: Array) -> Array:
    """The share of the larger's work that both have, term by term: (..., all terms) twice -> (...), 1 for equal networks."""
    costs = np.exp(np.array([PRIOR[t] for t in WEIGHTED]))
    first, second = select(a, WEIGHTED) * costs, select(b, WEIGHTED) * costs
    larger = np.maximum(first.sum(-1), second.sum(-1))
    return np.asarray(np.minimum(first, second).sum(-1) / larger, dtype=np.float64)
