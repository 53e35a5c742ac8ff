"""Measure an imported network on labelled images, under its own assumptions and under those of other libraries."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eamdeploy.data.dataset import ImageDataset, take
from eamdeploy.inference.evaluate import evaluate
from eamdeploy.training.importing.function import Function
from eamdeploy.training.importing.sources import SOURCES

IMAGES = 200


@dataclass(frozen=True)
class ImportCheck:
    """Top-1 of an imported network.

    Attributes:
        top1: in percent; ``images`` is on how many.
        chance: top-1 in percent of a guess among the classes that the images have.
        better: a source under whose function the same weights score more than noise explains, or ``None``; with its top-1 and
            that function.
    """

    top1: float
    images: int
    chance: float
    better: str | None = None
    better_top1: float | None = None
    better_function: Function | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        better = None if self.better_function is None else self.better_function.to_dict()
        return {**vars(self), "better_function": better, "at_chance": self.at_chance}

    @property
    def at_chance(self) -> bool:
        """Whether the network is no better than guessing, to within two standard errors."""
        return self.top1 <= self.chance + 2 * _error(self.chance, self.images)


def check_import(
    write: Callable[[Function, Path], object],
    function: Function,
    arch: str,
    data: ImageDataset,
    *,
    class_map: Mapping[str, int | str] | None = None,
    limit: int = IMAGES,
) -> ImportCheck:
    """Measure top-1 under ``function``, and under every other that a known library has for this architecture.

    Args:
        write: writes the checkpoint under a function to a path.
        function: the one that the import assumes.
        arch: the architecture.
        data: labelled images.
        class_map: from the data's classes to the network's, where the names differ.
        limit: at most this many images.
    """
    images = take(data, limit)

    def top1(assumed: Function) -> float:
        with tempfile.TemporaryDirectory(prefix="eamdeploy-") as folder:
            path = Path(folder) / "imported.safetensors"
            write(assumed, path)
            return evaluate(path, images, class_map=class_map).result.top1

    exact_top1 = top1(function)
    functions: dict[str, Function] = {}
    for name, source in SOURCES.items():
        other = source.functions.get(arch)
        if other is not None and other != function and other not in functions.values():
            functions[name] = other
    scores = {name: top1(other) for name, other in functions.items()}
    best = max(scores, key=scores.__getitem__, default=None)
    count = len(images)
    chance = 100 / max(1, len({images.label(index) for index in range(count)}))
    if best is None or scores[best] - exact_top1 <= 2 * math.sqrt(2) * _error(exact_top1, count):
        return ImportCheck(exact_top1, count, chance)
    return ImportCheck(
        exact_top1, count, chance=chance, better=best, better_top1=scores[best], better_function=functions[best]
    )


def _error(percent: float, count: int) -> float:
    """Standard error of a share in percent; never zero."""
    share = (percent / 100 * count + 1) / (count + 2)
    return 100 * math.sqrt(share * (1 - share) / count)
