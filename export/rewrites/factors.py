"""The arithmetic of the rewrites: a bank taken apart around a mean, and how far a rewritten kernel is from the true.

``W(x) = Kbar + sum_i (alpha_i - abar_i) K_i``. The deviations sum to 0, so they move in k - 1 directions at most. Along
the eigenvectors ``q_j`` of alpha's covariance they are uncorrelated with variance ``v_j``, and

    W(x) = Kbar + sum_j (q_j . (alpha - abar)) D_j,     D_j = sum_i q_ji K_i

``sqrt(v_j) D_j`` is what the direction contributes on average: its singular values say what leaving a rank out costs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Directions:
    """A bank in the directions of its attention.

    Attributes:
        mean: ``Kbar``, ``(O, C/g, kh, kw)``.
        vectors: ``q_j`` as rows, ``(k - 1, k)``, orthonormal, each summing to 0; by descending variance.
        deviations: ``sqrt(v_j)``, ``(k - 1,)``; 0 where alpha does not move.
        kernels: ``D_j``, ``(k - 1, O, C/g, kh, kw)``.
        offset: ``-q_j . abar``, ``(k - 1,)``.
    """

    mean: Tensor
    vectors: Tensor
    deviations: Tensor
    kernels: Tensor
    offset: Tensor


@dataclass(frozen=True)
class RankedFactors:
    """The ``R`` most telling outer products (or whole kernels, for grouped convolutions); float64.

    Attributes:
        mixing, offset: the coefficients of each: ``c = mixing alpha + offset``; ``(R, k)``, ``(R,)``.
        down, up: ``(R, C, kh, kw)`` and ``(O, R)``; empty for grouped convolutions.
        residual: ``(R, O, C/g, kh, kw)``; empty for one group.
    """

    mixing: Tensor
    offset: Tensor
    down: Tensor
    up: Tensor
    residual: Tensor


def directions(bank: Tensor, alpha_mean: Tensor, covariance: Tensor | None = None) -> Directions:
    """Take ``bank: (k, O, C/g, kh, kw)`` apart around ``alpha_mean: (k,)``, in float64.

    Args:
        covariance: of alpha, ``(k, k)``; ``None`` treats all directions alike.
    """
    bank, alpha_mean = bank.detach().double(), alpha_mean.double()
    kernels = bank.shape[0]
    covariance = torch.eye(kernels, dtype=torch.float64) if covariance is None else covariance.double()
    basis = _sum_zero_basis(kernels)
    values, vectors = torch.linalg.eigh(basis @ covariance @ basis.T)
    rows = vectors.flip(1).T @ basis
    return Directions(
        mean=torch.tensordot(alpha_mean, bank, dims=1),
        vectors=rows,
        deviations=values.flip(0).clamp(min=0).sqrt(),
        kernels=torch.tensordot(rows, bank, dims=1),
        offset=-(rows @ alpha_mean),
    )


def _sum_zero_basis(kernels: int) -> Tensor:
    """An orthonormal basis, as rows ``(k - 1, k)``, of the vectors that sum to 0 (Helmert's)."""
    rows = torch.zeros(kernels - 1, kernels, dtype=torch.float64)
    for index in range(1, kernels):
        rows[index - 1, :index] = 1
        rows[index - 1, index] = -index
        rows[index - 1] /= (index * (index + 1)) ** 0.5
    return rows


def full_rank(bank_shape: tuple[int, ...], groups: int) -> int:
    """The rank at which nothing is left out."""
    kernels, out, inputs, height, width = bank_shape
    return (kernels - 1) * (min(out, inputs * height * width) if groups == 1 else 1)


def ranked_factors(parts: Directions, groups: int, rank: int) -> RankedFactors:
    """The first ``rank`` factors by what they contribute; directions that do not move come last, but do come."""
    count, out = parts.kernels.shape[:2]
    inputs = parts.kernels.shape[2:]
    if groups > 1:
        weight = parts.deviations * parts.kernels.flatten(1).norm(dim=1)
        order = torch.argsort(weight, descending=True, stable=True)[:rank]
        nothing = parts.mean.new_zeros(0)
        return RankedFactors(parts.vectors[order], parts.offset[order], nothing, nothing, parts.kernels[order])
    left, sizes, right = torch.linalg.svd(parts.kernels.reshape(count, out, -1), full_matrices=False)
    each = sizes.shape[1]
    contribution = (parts.deviations[:, None] * sizes).flatten()
    # among those that contribute nothing here the larger ones first
    order = torch.argsort(sizes.flatten(), descending=True, stable=True)
    order = order[torch.argsort(contribution[order], descending=True, stable=True)][:rank]
    direction = order // each
    root = sizes.flatten()[order].sqrt()
    up = left.transpose(1, 2).flatten(0, 1)[order] * root[:, None]
    down = right.flatten(0, 1)[order] * root[:, None]
    return RankedFactors(
        parts.vectors[direction],
        parts.offset[direction],
        down.reshape(-1, *inputs),
        up.T.contiguous(),
        parts.mean.new_zeros(0),
    )


def factor_bound(parts: Directions, factors: RankedFactors, moves: Tensor) -> Tensor:
    """A bound of ``||W(x) - W_R(x)||`` (Frobenius) for each row of ``moves = alpha - abar: (N, k)``: ``(N,)``.

    ``sum_j |q_j . moves| ||D_j - D_j,R||`` with ``D_j,R`` the part of ``D_j`` that the factors hold.
    """
    exact_part = torch.zeros_like(parts.kernels)
    same = (factors.mixing[:, None, :] == parts.vectors[None]).all(dim=2)
    for index in range(len(factors.mixing)):
        direction = int(same[index].nonzero()[0, 0])
        if factors.residual.numel():
            exact_part[direction] += factors.residual[index]
        else:
            exact_part[direction] += torch.einsum("o,cij->ocij", factors.up[:, index], factors.down[index])
    missing = (parts.kernels - exact_part).flatten(1).norm(dim=1)
    bound: Tensor = (moves.double() @ parts.vectors.T).abs() @ missing
    return bound
