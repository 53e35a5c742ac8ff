"""A dynamic convolution, four ways that are equal and differ in speed.

All take ``x: (B, C, H, W)``, ``alpha: (B, k)`` and a bank ``(k, O, C/g, kh, kw)`` and compute, for each image,
``W(x) * x`` with ``W(x) = sum_i alpha_i K_i`` (equations 4 and 5). Convolution is linear in its kernel, so the sum can be
taken over kernels, over outputs or over inputs.

* ``grouped``: the batch is folded into the groups of one convolution (the textbook form). Fast on a CPU only for depthwise
  kernels, where it is an ordinary depthwise convolution of B*C channels.
* ``matmul``: 1x1 kernels, a batched matrix product. Reads B kernels of O*C weights: for large maps.
* ``concat``: k copies of the input, each scaled by its weight, meet one static convolution of k*C channels. No kernel per
  image at all: for small maps, where reading the kernels costs more than k times the multiplications.
* ``unfold``: any kernel, im2col and ``matmul``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

# a 1x1 layer: below this many positions per image, k times the multiplications beat B kernels read and written
CONCAT_BELOW_POSITIONS = 16


@dataclass(frozen=True)
class Geometry:
    """The static part of a convolution; pairs are (vertical, horizontal)."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


def aggregate(alpha: Tensor, bank: Tensor) -> Tensor:
    """``W(x)`` of each image: ``(B, O, C/g, kh, kw)`` (equation 5)."""
    return (alpha @ bank.flatten(1)).unflatten(1, bank.shape[1:])


def grouped(x: Tensor, alpha: Tensor, bank: Tensor, geometry: Geometry) -> Tensor:
    """One convolution of B*g groups."""
    batch = x.shape[0]
    weight = aggregate(alpha, bank).flatten(0, 1)
    y = F.conv2d(
        x.reshape(1, -1, *x.shape[2:]),
        weight,
        None,
        geometry.stride,
        geometry.padding,
        geometry.dilation,
        groups=batch * geometry.groups,
    )
    return y.reshape(batch, -1, *y.shape[2:])


def matmul(x: Tensor, alpha: Tensor, bank: Tensor, geometry: Geometry) -> Tensor:
    """A batched matrix product; 1x1, stride 1, no padding, one group."""
    del geometry
    return (aggregate(alpha, bank).flatten(2) @ x.flatten(2)).unflatten(2, x.shape[2:])


def concat(x: Tensor, alpha: Tensor, bank: Tensor, geometry: Geometry) -> Tensor:
    """One static convolution over k scaled copies of the input; one group."""
    copies = (alpha[:, :, None, None, None] * x[:, None]).flatten(1, 2)
    weight = bank.transpose(0, 1).flatten(1, 2)
    return F.conv2d(copies, weight, None, geometry.stride, geometry.padding, geometry.dilation)


def unfold(x: Tensor, alpha: Tensor, bank: Tensor, geometry: Geometry) -> Tensor:
    """im2col, then a batched matrix product; one group."""
    kernel = (int(bank.shape[3]), int(bank.shape[4]))
    columns = F.unfold(x, kernel, geometry.dilation, geometry.padding, geometry.stride)
    height = (x.shape[2] + 2 * geometry.padding[0] - geometry.dilation[0] * (kernel[0] - 1) - 1) // geometry.stride[
        0
    ] + 1
    return (aggregate(alpha, bank).flatten(2) @ columns).unflatten(2, (height, -1))


def choose(x: Tensor, bank: Tensor, geometry: Geometry) -> Callable[[Tensor, Tensor, Tensor, Geometry], Tensor]:
    """The fastest of the equal forms on a CPU for this shape (``benchmarks/training`` measures them)."""
    pointwise = bank.shape[3:] == (1, 1) and geometry.stride == (1, 1) and geometry.padding == (0, 0)
    if geometry.groups > 1 or not pointwise:
        return grouped
    return concat if x.shape[2] * x.shape[3] < CONCAT_BELOW_POSITIONS and x.shape[0] > 1 else matmul
