"""How far two tensors are apart."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
# half a unit in the last place of float32, and of float16: no measured rounding is taken to be smaller
UNIT_ROUNDOFF = {"fp32": 2.0**-24, "fp16": 2.0**-11}


def snr_db(value: Array, reference: Array) -> float | None:
    """Energy of the reference over energy of the difference, in decibels; ``None`` when they are equal."""
    noise = float(np.square(value - reference).sum())
    if noise == 0:
        return None
    signal = float(np.square(reference).sum())
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


def relative_errors(value: Array, reference: Array) -> Array:
    """Of each image (first axis), ``|value - reference| / |reference|`` in the 2-norm; 0/0 is 0."""
    count = len(reference)
    difference = np.linalg.norm((value - reference).reshape(count, -1), axis=1)
    scale = np.linalg.norm(reference.reshape(count, -1), axis=1)
    relative: Array = np.divide(difference, scale, out=np.where(difference > 0, np.inf, 0.0), where=scale > 0)
    return relative


def not_finite(value: Array) -> int:
    """Images with a NaN or an infinity."""
    return int((~np.isfinite(value.reshape(len(value), -1)).all(axis=1)).sum())
