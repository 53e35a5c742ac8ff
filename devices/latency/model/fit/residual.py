"""What the terms leave over, carried to networks of similar size: a Gaussian process with fixed, modest settings.

The settings are the same for every calibration: a departure of about 10 %, alike over a factor e^1.5 in any coordinate.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
AMPLITUDE, LENGTH, NOISE = 0.1, 1.5, 0.05


def residual_weights(points: Array, residuals: Array, weight: Array) -> Array:
    """Coefficients of the kernel's columns: (n, 4), (n,), (n,) -> (n,)."""
    kernel = _kernel(points, points) + np.diag(NOISE**2 / weight)
    return np.asarray(np.linalg.solve(kernel, residuals), dtype=np.float64)


def residual_at(points: Array, coefficients: Array, where: Array) -> Array:
    """The expected left-over in the logarithm at (m, 4) -> (m,)."""
    return _kernel(where, points) @ coefficients if len(points) else np.zeros(len(where))


def alike(points: Array) -> Array:
    """How the left-overs of networks vary together: (n, 4) -> (n, n), squared logarithms."""
    return _kernel(points, points)


def _kernel(a: Array, b: Array) -> Array:
    squared = ((a[:, None] - b[None]) ** 2).sum(-1)
    values: Array = AMPLITUDE**2 * np.exp(-0.5 * squared / LENGTH**2)
    return values
