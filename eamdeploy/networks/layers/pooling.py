"""Adaptive pooling by the rule of ``torch.nn.AdaptiveAvgPool2d``: cell i covers ``[floor(i n / s), ceil((i + 1) n / s))``."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor


def cells(length: int, size: int) -> list[tuple[int, int]]:
    """The ``size`` ranges that ``length`` positions are pooled into; they overlap where ``size`` does not divide."""
    return [(index * length // size, -(-(index + 1) * length // size)) for index in range(size)]


def average_matrix(length: int, size: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """P of shape ``(size, length)`` such that ``P_h @ X @ P_w.T`` is adaptive average pooling of ``X``."""
    # made in float64: a third that was rounded to float32 first would stay so in a float64 network
    matrix = torch.zeros(size, length, dtype=torch.float64)
    for row, (low, high) in enumerate(cells(length, size)):
        matrix[row, low:high] = 1 / (high - low)
    return matrix.to(dtype)


@functools.lru_cache(maxsize=256)
def _kept_matrix(length: int, size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrix where it is used: sent to a GPU once, not in every step."""
    with torch.inference_mode(False):  # training may use later what inference asked for first
        return average_matrix(length, size, dtype).to(device)


def _matrix(length: int, size: int, x: Tensor) -> Tensor:
    if torch.compiler.is_compiling():  # a traced tensor must not be kept, and a compiler sees through no cache
        return average_matrix(length, size, x.dtype).to(x.device)
    return _kept_matrix(length, size, x.dtype, x.device)


def adaptive_pool(x: Tensor, size: int, pool: str) -> Tensor:
    """``x: (B, C, H, W) -> (B, C, size, size)``.

    The average is two small matrix products: exact, and many times faster forwards and backwards on a CPU than the
    operator, which falls back to a scalar loop.
    """
    if pool == "max":
        return F.adaptive_max_pool2d(x, size)
    if size == 1:
        return x.mean(dim=(2, 3), keepdim=True)
    rows, columns = _matrix(x.shape[2], size, x), _matrix(x.shape[3], size, x)
    return rows @ (x @ columns.T)
