"""Proof that a program is the network it was made from: both in float64, at one, two and three images."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eamdeploy.base.errors import DataError, ParityError
from eamdeploy.networks.program.network import ProgramNetwork

BATCHES = (1, 2, 3)
# of the largest score: what float64 rounds off in a hundred layers, thousands of times below float32's rounding
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Proof:
    """The largest difference at each batch size, relative to the largest score."""

    errors: dict[int, float]

    @property
    def passed(self) -> bool:
        """Whether the two are the same function."""
        return all(error <= TOLERANCE for error in self.errors.values())


@torch.no_grad()
def compare(module: nn.Module, program: ProgramNetwork, images: Tensor) -> Proof:
    """Run both on the first one, two and three of ``images: (3, C, H, W)``; ``program`` is in double precision already.

    Raises:
        DataError: when the module answers otherwise when it is asked again.
    """
    original = copy.deepcopy(module).double().eval()
    errors = {}
    for batch in BATCHES:
        x = images[:batch].double()
        expected = original(x)
        if batch == 1 and not torch.equal(original(x), expected):
            raise DataError(
                "the network gives other scores when it is run again",
                why="it draws random numbers or changes its state",
                hint="build it for inference",
            )
        actual = program(x)
        if actual.shape != expected.shape:
            errors[batch] = float("inf")
            continue
        scale = expected.abs().max().clamp(min=1e-30)
        errors[batch] = float((actual - expected).abs().max() / scale)
    return Proof(errors)


def raise_unless_proven(proof: Proof) -> None:
    """Raises :class:`ParityError` when the program is not the network."""
    worst = max(proof.errors, key=lambda batch: proof.errors[batch])
    if not proof.passed:
        raise ParityError(
            f"the rewritten network differs from the original by {proof.errors[worst]:.1e} at batch {worst}",
            hint="what an image gives may depend on the others of its batch, or on Python code that a graph does not hold",
        )
