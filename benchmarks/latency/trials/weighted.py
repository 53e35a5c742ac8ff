"""Quantiles of errors that do not all count alike."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from devices.latency.model.fit.conformal import LEVEL


def weighted_quantile(scores: Iterable[tuple[float, float]], level: float = LEVEL) -> float:
    """The smallest score that `level` of the weight does not exceed; (score, weight) in any order."""
    ordered = sorted(scores)
    reached = np.cumsum([w for _, w in ordered])
    return ordered[int(np.searchsorted(reached, level * reached[-1] - 1e-12))][0]
