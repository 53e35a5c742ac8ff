"""What calibration remembers of a tensor: its extremes and a histogram of fixed size, however many images pass.

Four ways to a range: ``minmax``; ``percentile``; ``mse``, the range of least squared error; ``entropy``, of least
Kullback-Leibler divergence between the histogram and its 8-bit form (Migacz 2017, "8-bit inference with TensorRT").
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from eamdeploy.base.errors import UsageError, did_you_mean

METHODS = ("minmax", "percentile", "mse", "entropy")
DEFAULT_METHOD = "mse"
PERCENTILE = 99.99
BINS = 4096
LEVELS = 256
SAMPLE = 16_384  # values per tensor and image that enter the histogram; the extremes see all of them
_SHRINKS = np.linspace(1.0, 0.3, 71)


def check_method(method: str) -> None:
    """Raises :class:`UsageError` for an unknown calibration method."""
    if method not in METHODS:
        raise UsageError(f"unknown calibration method '{method}'", hint=did_you_mean(method, METHODS))


class Observer:
    """Sees a tensor's values image by image; the same images in the same order give the same range."""

    def __init__(self) -> None:
        self.low, self.high = np.inf, -np.inf
        self._reach = 0.0  # the histogram covers [-reach, reach]
        self._counts = np.zeros(BINS, dtype=np.int64)

    def update(self, values: npt.NDArray[Any]) -> None:
        """Note the values of one image (or batch).

        Raises:
            UsageError: when they hold a NaN or an infinity: no range would be right.
        """
        flat = values.reshape(-1)
        low, high = float(flat.min()), float(flat.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise UsageError(
                "a calibration image gives values that are not finite", hint="check the model and the preprocessing"
            )
        self.low, self.high = min(self.low, low), max(self.high, high)
        self._widen(max(abs(low), abs(high)))
        if self._reach > 0:
            # an odd stride runs through every channel of both layouts
            sample = flat[:: max(1, flat.size // SAMPLE) | 1]
            index = ((sample.astype(np.float64) / self._reach + 1) * (BINS / 2)).astype(np.int64)
            self._counts += np.bincount(np.clip(index, 0, BINS - 1), minlength=BINS)

    def _widen(self, magnitude: float) -> None:
        """Double the reach as often as needed: two bins become one, nothing is estimated."""
        if self._reach == 0:
            self._reach = magnitude
        while magnitude > self._reach > 0:
            halves = self._counts.reshape(-1, 2).sum(axis=1)
            self._counts = np.zeros_like(self._counts)
            self._counts[BINS // 4 : BINS // 4 + BINS // 2] = halves
            self._reach *= 2

    def range(self, method: str = DEFAULT_METHOD) -> tuple[float, float]:
        """The range to be quantized, within [low, high] and holding 0.

        Raises:
            UsageError: for an unknown method.
        """
        check_method(method)
        if self.high < self.low:
            return 0.0, 0.0
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        if method == "minmax" or self._counts.sum() == 0:
            return low, high
        if method == "percentile":
            below = np.cumsum(self._counts) / self._counts.sum()
            edges = np.linspace(-self._reach, self._reach, BINS + 1)
            tail = (1 - PERCENTILE / 100) / (1 if low == 0.0 or high == 0.0 else 2)
            upper = edges[int(np.searchsorted(below, 1 - tail)) + 1]
            lower = edges[int(np.searchsorted(below, tail, side="right"))]
            return max(low, min(0.0, float(lower))), min(high, max(0.0, float(upper)))
        error = self._squared_error if method == "mse" else self._divergence
        costs = [error(low * shrink, high * shrink) for shrink in _SHRINKS]
        best = _SHRINKS[int(np.argmin(costs))]
        return float(low * best), float(high * best)

    def _coded(self, low: float, high: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[Any], float]:
        centres = (np.arange(BINS, dtype=np.float64) + 0.5) * (2 * self._reach / BINS) - self._reach
        step = max((high - low) / (LEVELS - 1), 1e-30)
        codes = np.clip(np.rint((centres - low) / step), 0, LEVELS - 1).astype(np.int64)
        return centres, codes, step

    def _squared_error(self, low: float, high: float) -> float:
        centres, codes, step = self._coded(low, high)
        return float((self._counts * (codes * step + low - centres) ** 2).sum())

    def _divergence(self, low: float, high: float) -> float:
        """KL(P || Q): P has what lies outside in its outermost bins, Q spreads each level evenly over its occupied bins."""
        centres, codes, _ = self._coded(low, high)
        inside = (centres >= low) & (centres <= high)
        if not inside.any():
            return float("inf")
        first, last = int(np.argmax(inside)), BINS - 1 - int(np.argmax(inside[::-1]))
        p = self._counts[first : last + 1].astype(np.float64)
        if first <= BINS // 2 <= last:
            # what a ReLU cut off is exactly representable, and would outweigh everything else
            p[BINS // 2 - first] = 0.0
        mass_in_range = p.copy()
        p[0] += self._counts[:first].sum()
        p[-1] += self._counts[last + 1 :].sum()
        codes = codes[first : last + 1]
        occupied = p > 0
        mass = np.bincount(codes, weights=mass_in_range, minlength=LEVELS)
        spread = np.bincount(codes, weights=occupied, minlength=LEVELS)
        q = np.where(occupied, mass[codes] / np.maximum(spread[codes], 1), 0.0)
        if p.sum() == 0:
            return float("inf")
        p, q = p / p.sum(), q / max(q.sum(), 1e-30)
        terms = p[occupied] * np.log(p[occupied] / np.maximum(q[occupied], 1e-12))
        return float(terms.sum())
