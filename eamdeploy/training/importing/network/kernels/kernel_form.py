"""The form that a computed kernel may have: mixed from a bank, scaled by gates."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, fx


@dataclass(frozen=True)
class Gate:
    """A value that scales parts of a kernel.

    Attributes:
        node: that gives it.
        index: of the image's gate values, the one that scales each output channel, input channel or tap.
    """

    node: fx.Node
    index: tuple[int, ...]


@dataclass(frozen=True)
class Mixing:
    """``W = taps * outputs * inputs * (constant + sum_i alpha_i bank_i)``; several alphas are one after the other.

    Attributes:
        alphas: the nodes of the mixing weights, mostly one; none where the kernel is only gated.
        bank: (k, O, C/g, kh, kw), in float64.
        constant: a kernel that is not mixed, of the same shape but for k, or ``None``.
        outputs, inputs, taps: gates; several of a kind multiply.
    """

    alphas: tuple[fx.Node, ...]
    bank: Tensor
    constant: Tensor | None = None
    outputs: tuple[Gate, ...] = ()
    inputs: tuple[Gate, ...] = ()
    taps: tuple[Gate, ...] = ()


@dataclass
class NoMixing:
    """Why a kernel has no such form."""

    reason: str
    values: list[str] = field(default_factory=list)


def mixed_kernels(mixing: Mixing, values: dict[str, Tensor], groups: int, batch: int) -> Tensor:
    """The kernels ``(B, O, C/g, kh, kw)`` that ``mixing`` gives for the values ``(B, n)`` of its nodes."""
    shape = mixing.bank.shape[1:]
    if mixing.alphas:
        weights = torch.cat([values[alpha.name] for alpha in mixing.alphas], dim=1)
        kernels = torch.einsum("bk,kocij->bocij", weights, mixing.bank)
    else:
        kernels = mixing.bank.expand(batch, *shape)
    if mixing.constant is not None:
        kernels = kernels + mixing.constant
    outputs, inputs, height, width = shape
    for gate in mixing.outputs:
        kernels = kernels * values[gate.node.name][:, list(gate.index)].view(batch, outputs, 1, 1, 1)
    for gate in mixing.inputs:
        factors = values[gate.node.name][:, list(gate.index)].view(batch, groups, 1, inputs)
        factors = factors.expand(batch, groups, outputs // groups, inputs)
        kernels = kernels * factors.reshape(batch, outputs, inputs, 1, 1)
    for gate in mixing.taps:
        kernels = kernels * values[gate.node.name][:, list(gate.index)].view(batch, 1, 1, height, width)
    return kernels
