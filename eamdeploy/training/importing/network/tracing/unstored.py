"""What shapes a network's answers and is in no state dict: temperatures and other numbers kept as plain attributes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

# integers are mostly shapes; these are not
_TEMPERATURE = re.compile(r"(^|_)(temp|temperature|tau|t)($|_)", re.IGNORECASE)
MOST = 64
_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)
_NORM_CONSTANTS = ("eps", "momentum")


@dataclass(frozen=True)
class UnstoredNumber:
    """A number of the network's code that its weights do not carry.

    Attributes:
        attribute: ``Class.attribute``.
        value: what is used.
        layers: how many layers have it.
        moves: the largest change of a score when it is doubled, relative to the largest score; ``None`` where the network
            does not run with the double.
    """

    attribute: str
    value: float
    layers: int
    moves: float | None

    @property
    def sentence(self) -> str:
        """For people."""
        places = "1 layer" if self.layers == 1 else f"{self.layers} layers"
        if self.moves is None:
            effect = "the network does not run with twice that"
        else:
            effect = f"doubled, the scores move by {100 * self.moves:.2g} %"
        return f"{self.attribute} = {self.value:g} in {places} is in no state dict; {effect}"


@torch.no_grad()
def unstored_numbers(module: nn.Module, images: Tensor) -> list[UnstoredNumber]:
    """Every number that matters, with how far the outputs for ``images`` move when it is doubled.

    Those that move nothing are left out, temperatures excepted.
    """
    groups: dict[tuple[str, str, float], list[nn.Module]] = {}
    for layer, attribute, value in _numbers(module):
        groups.setdefault((type(layer).__name__, attribute, value), []).append(layer)
    if not groups:
        return []
    plain = module(images)
    if not isinstance(plain, Tensor):
        return []
    numbers = []
    for (kind, attribute, value), layers in list(groups.items())[:MOST]:
        moves = _moves(module, images, plain, attribute, layers)
        if _TEMPERATURE.search(attribute) or (moves is not None and moves > 0):
            numbers.append(UnstoredNumber(f"{kind}.{attribute}", value, len(layers), moves))
    return numbers


def _numbers(module: nn.Module) -> Iterator[tuple[nn.Module, str, float]]:
    for layer in module.modules():
        if type(layer).__module__.partition(".")[0] == "torch":
            continue  # the constants of PyTorch's own layers are part of what they are
        constants = _NORM_CONSTANTS if isinstance(layer, _NORMS) else ()
        for attribute, value in vars(layer).items():
            if attribute in constants:
                continue
            number = isinstance(value, float) or (
                isinstance(value, int) and not isinstance(value, bool) and bool(_TEMPERATURE.search(attribute))
            )
            if number and not attribute.startswith("_") and math.isfinite(value):
                yield layer, attribute, value


def _moves(module: nn.Module, images: Tensor, plain: Tensor, attribute: str, layers: list[nn.Module]) -> float | None:
    before = [getattr(layer, attribute) for layer in layers]
    try:
        for layer, value in zip(layers, before, strict=True):
            setattr(layer, attribute, 2 * value)
        doubled = module(images)
    except (RuntimeError, ValueError, TypeError, AttributeError):
        return None
    finally:
        for layer, value in zip(layers, before, strict=True):
            setattr(layer, attribute, value)
    return float((doubled - plain).abs().max() / plain.abs().max().clamp(min=1e-30))
