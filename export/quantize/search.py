"""Which layers go back to float until the accuracy is kept: the most harmful first, and no more than needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sensitivity:
    """What one layer costs when it alone is quantized.

    Attributes:
        layer: its name.
        score_noise: energy of the change of the scores, relative to the scores' own; 0 is no change.
    """

    layer: str
    score_noise: float


@dataclass(frozen=True)
class Attempt:
    """One quantized form that was tried: ``drop_points`` of top-1 with ``float_layers`` left in float."""

    float_layers: tuple[str, ...]
    drop_points: float


def rank(layers: Sequence[str], noise_alone: Callable[[str], float]) -> list[Sensitivity]:
    """Every layer with the noise it makes alone, the most harmful first; ties keep the order of execution."""
    measured = [Sensitivity(layer, noise_alone(layer)) for layer in layers]
    return sorted(measured, key=lambda entry: -entry.score_noise)


def fewest_float_layers(
    ranking: Sequence[Sensitivity], drop_points: Callable[[tuple[str, ...]], float], bound: float
) -> list[Attempt]:
    """Try ever longer prefixes of ``ranking`` in float, doubling, then halve the last step.

    Returns:
        every attempt in order; the best one, if any is within ``bound``, is the last whose drop is within it.
    """
    names = [entry.layer for entry in ranking]
    attempts: list[Attempt] = []
    failed, passed, count = 0, None, 1
    while passed is None and failed < len(names):
        count = min(count, len(names))
        attempts.append(Attempt(tuple(names[:count]), drop_points(tuple(names[:count]))))
        if attempts[-1].drop_points <= bound:
            passed = count
        else:
            failed, count = count, count * 2
    while passed is not None and passed - failed > 1:
        middle = (failed + passed) // 2
        attempts.append(Attempt(tuple(names[:middle]), drop_points(tuple(names[:middle]))))
        if attempts[-1].drop_points <= bound:
            passed = middle
        else:
            failed = middle
    return attempts
