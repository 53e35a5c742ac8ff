"""Proof that a program is the network it was made from: both in float64, at one, two and three images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eamdeploy.base.errors import DataError, ParityError
from eamdeploy.networks.program.network import ProgramNetwork
from eamdeploy.training.importing.network.tracing.borrowing import borrowed, in_double_precision
from eamdeploy.training.importing.network.tracing.trace import explain_failure

BATCHES = (1, 2, 3)
# of the largest score: what float64 rounds off in a hundred layers, thousands of times below float32's rounding
TOLERANCE = 1e-9


class BatchDependence(DataError):
    """What a network answers for an image depends on the others of its batch."""


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
        DataError: when the module answers otherwise when it is asked again, or in a batch of other images.
    """
    errors: dict[int, float] = {}
    fewer: Tensor | None = None
    with borrowed(module, torch.float64) as original, in_double_precision():
        for batch in BATCHES:
            x = images[:batch].double()
            expected = _scores(original, x)
            if batch == 1 and not torch.equal(original(x), expected):
                raise DataError(
                    "the network gives other scores when it is run again",
                    why="it draws random numbers or changes its state",
                    hint="build it for inference",
                )
            _raise_if_mixed(expected, fewer)
            fewer = expected
            actual = program(x)
            if actual.shape != expected.shape:
                errors[batch] = float("inf")
                continue
            errors[batch] = _difference(actual, expected)
    return Proof(errors)


def _scores(module: nn.Module, x: Tensor) -> Tensor:
    """What the user's code gives in double precision; it runs in single precision on three images already."""
    try:
        scores: Tensor = module(x)
    except Exception as error:
        what = f"the network does not run on a batch of {len(x)} in double precision, as its proof asks"
        raise explain_failure(error, what, "let it take any number of images, and keep their precision") from error
    return scores


def _difference(actual: Tensor, expected: Tensor) -> float:
    return float((actual - expected).abs().max() / expected.abs().max().clamp(min=1e-30))


def _raise_if_mixed(scores: Tensor, fewer: Tensor | None) -> None:
    """Raises :class:`BatchDependence` when the images of ``fewer`` have other scores in a batch of one image more."""
    if fewer is None or scores[: len(fewer)].shape != fewer.shape:
        return
    moves = _difference(scores[: len(fewer)], fewer)
    if moves > TOLERANCE:
        raise BatchDependence(
            "what the network answers for an image depends on the others of its batch",
            why=f"the scores move by {100 * moves:.2g} % in a batch of {len(scores)}",
            hint="keep each image's channels together where the batch is folded: x.reshape(1, batch * channels, ...)",
        )


def raise_unless_proven(proof: Proof) -> None:
    """Raises :class:`ParityError` when the program is not the network."""
    worst = max(proof.errors, key=lambda batch: proof.errors[batch])
    if not proof.passed:
        raise ParityError(
            f"the rewritten network differs from the original by {proof.errors[worst]:.1e} at batch {worst}",
            hint="what an image gives may depend on the others of its batch, or on Python code that a graph does not hold",
        )
