"""Scales: of activations from their range, of weights from their values, of computed kernels from their bank alone.

A dynamic layer's kernel is ``W(x) = sum_i alpha_i(x) K_i`` with ``alpha_i >= 0`` and ``sum_i alpha_i = 1``: a convex combination.
Element by element ``|W(x)| <= max_i |K_i|``, so that ``max_i max|K_i[o]| / 127`` is a scale under which output channel ``o`` never
clips, whatever the image. No calibration is needed for it. Weights that do not sum to 1, and gates on the taps of the kernel, only
multiply the bound: ``|W(x)| <= L1(alpha) * max_i |K_i| * max tap gate``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Int8 = npt.NDArray[np.int8]
LIMIT = 127
ALPHA_STEPS = 255  # alpha lies in [0, 1]: stored as round(255 alpha)
_SMALLEST = np.float32(1e-12)  # of a channel that is all zeros


@dataclass(frozen=True)
class Affine:
    """``real = scale * (stored - zero_point)``; ``dtype`` is ``uint8`` (ONNX) or ``int8`` (TFLite)."""

    scale: float
    zero_point: int
    dtype: str

    def quantize(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Real to stored: to nearest, ties to even, saturating."""
        limits = np.iinfo(self.dtype)
        stored = np.rint(np.asarray(values, dtype=np.float32) / np.float32(self.scale)) + self.zero_point
        return np.clip(stored, limits.min, limits.max).astype(self.dtype)

    def saturates(self, low: float, high: float) -> bool:
        """Whether clipping to [low, high] before :meth:`quantize` changes nothing: both ends fall on the outermost codes."""
        limits = np.iinfo(self.dtype)
        first, last = low / self.scale + self.zero_point, high / self.scale + self.zero_point
        return first < limits.min + 0.5 and last > limits.max - 0.5

    def dequantize(self, stored: npt.NDArray[Any]) -> Floats:
        """Stored to real."""
        real: Floats = (stored.astype(np.int32) - self.zero_point).astype(np.float32) * np.float32(self.scale)
        return real


def affine(low: float, high: float, dtype: str) -> Affine:
    """The 8-bit code for values in [low, high]; zero is always a code, so that padding is exact."""
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    scale = float(np.float32(max((high - low) / 255, 1e-9)))
    limits = np.iinfo(dtype)
    zero_point = int(np.clip(np.rint(limits.min - low / scale), limits.min, limits.max))
    return Affine(scale, zero_point, dtype)


def tensor_scale(weights: npt.NDArray[Any]) -> np.float32:
    """One symmetric scale for all of ``weights``."""
    return np.float32(max(np.abs(weights).max(initial=0.0) / LIMIT, _SMALLEST))


def channel_scales(weights: npt.NDArray[Any], axis: int) -> Floats:
    """One symmetric scale for each index along ``axis``."""
    other_axes = tuple(index for index in range(weights.ndim) if index != axis % weights.ndim)
    return np.maximum(np.abs(weights).max(axis=other_axes) / LIMIT, _SMALLEST).astype(np.float32)


def bank_scales(bank: npt.NDArray[Any]) -> Floats:
    """The guaranteed scales of the computed kernel of a bank ``(k, O, ...)``: ``max_i max|K_i[o]| / 127``, ``(O,)``."""
    return channel_scales(bank, axis=1)


def rounding_margin(kernels: int, l1: float = 1.0, steps: int = ALPHA_STEPS) -> np.float32:
    """By how much the magnitudes of ``kernels`` rounded mixing weights can sum to more than ``l1``.

    Each is off by half a step at most.
    """
    return np.float32(1 + kernels / (2 * steps * l1))


@dataclass(frozen=True)
class WeightsCode:
    """How mixing weights become 8-bit integers, and what their magnitudes sum to at most.

    Attributes:
        l1: no image's weights have a larger ``sum_i |alpha_i|``, so that ``|W(x)| <= l1 * max_i |K_i|``.
        signed: they may be negative; their magnitude is 1 at most in any case.
        taps: of a kernel whose taps have a gate: no image's gate is larger; ``None`` where nothing bounds it or there is none.
    """

    l1: float = 1.0
    signed: bool = False
    taps: float | None = None

    @property
    def steps(self) -> int:
        """Codes from 0 to 1."""
        return LIMIT if self.signed else ALPHA_STEPS

    def margin(self, kernels: int) -> np.float32:
        """See :func:`rounding_margin`."""
        return rounding_margin(kernels, self.l1, self.steps)


CONVEX_CODE = WeightsCode()


def weights_code(mixing: Mapping[str, Any], layer: str) -> WeightsCode | None:
    """The code of a layer's weights from an artifact's ``mixing``; convex where it is not listed.

    ``None`` where nothing bounds them, or where a weight can be larger than 1: such a kernel stays float.
    """
    entry = mixing.get(layer)
    if entry is None:
        return CONVEX_CODE
    l1 = entry.get("l1")
    if l1 is None or float(l1) > float(entry.get("kernels", 0)):
        return None
    taps = entry.get("taps")
    return WeightsCode(float(l1), bool(entry.get("signed", True)), None if taps is None else float(taps))


def quantize_symmetric(
    weights: npt.NDArray[Any], scales: npt.NDArray[Any] | np.float32, axis: int | None = None
) -> Int8:
    """``weights`` as int8 in [-127, 127]; ``scales`` along ``axis``, or one for all."""
    divisor = np.asarray(scales, dtype=np.float32)
    if axis is not None:
        divisor = divisor.reshape([-1 if index == axis % weights.ndim else 1 for index in range(weights.ndim)])
    stored: Int8 = np.clip(np.rint(np.asarray(weights, np.float32) / divisor), -LIMIT, LIMIT).astype(np.int8)
    return stored
