"""Which channels the attention looks at.

Ding et al. 2021, "Efficient Attention Mechanism for Dynamic Convolution in Lightweight Neural Network", section 3.3 and
figure 5, equations 8 to 15. Random choices are drawn once, when the layer is built, and live in a buffer, so that a
checkpoint carries them and a deployed network is deterministic.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from eamdeploy.base.errors import UsageError


def adjacent(channels: int, count: int, position: int) -> list[int]:
    """A run of ``count`` channels from the start of quarter ``position`` (1 to 4), moved left where it would not fit."""
    start = min((position - 1) * channels // 4, channels - count)
    return list(range(start, start + count))


def interval(channels: int, count: int) -> list[int]:
    """Every (channels / count)-th channel (equation 11)."""
    return [index * channels // count for index in range(count)]


def block_bounds(channels: int, count: int) -> list[int]:
    """Bounds of ``count`` blocks as equal as possible: block j is ``[bounds[j], bounds[j + 1])`` (equation 15)."""
    return [index * channels // count for index in range(count + 1)]


class StaticSelection(nn.Module):
    """The same channels for every image: ``x: (B, C, H, W) -> (B, C', H, W)``."""

    indices: Tensor

    def __init__(self, indices: list[int]) -> None:
        super().__init__()
        self.register_buffer("indices", torch.tensor(indices, dtype=torch.int64))

    @property
    def count(self) -> int:
        """C', the number of channels chosen."""
        return int(self.indices.numel())

    def forward(self, x: Tensor) -> Tensor:
        """Gather the chosen channels."""
        return x.index_select(1, self.indices)


class CgrMaxSelection(nn.Module):
    """CGR-max: from each block the channel of greatest spatial mean for this image; ties go to the lowest index.

    ``x: (B, C, H, W) -> (B, C', H, W)``. The choice itself has no gradient; the chosen map has.
    """

    def __init__(self, channels: int, count: int) -> None:
        super().__init__()
        self.channels, self.count = channels, count
        self.bounds = block_bounds(channels, count)

    def choose(self, x: Tensor) -> Tensor:
        """Indices of the chosen channels, ``(B, C')``."""
        means = x.detach().mean(dim=(2, 3))
        blocks = itertools.pairwise(self.bounds)
        return torch.stack([means[:, low:high].argmax(dim=1) + low for low, high in blocks], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Gather the chosen channels of each image."""
        index = self.choose(x)[:, :, None, None].expand(-1, -1, x.shape[2], x.shape[3])
        return x.gather(1, index)


def make_selection(select: str, channels: int, count: int, generator: torch.Generator) -> nn.Module:
    """The selection named ``select`` of ``count`` out of ``channels`` channels.

    Raises:
        UsageError: for a name that is not known.
    """
    if select.startswith("adjacent-"):
        return StaticSelection(adjacent(channels, count, int(select.removeprefix("adjacent-"))))
    if select == "interval":
        return StaticSelection(interval(channels, count))
    if select == "rcr":
        return StaticSelection(torch.randperm(channels, generator=generator)[:count].sort().values.tolist())
    if select == "cgr-random":
        bounds = block_bounds(channels, count)
        pairs = itertools.pairwise(bounds)
        return StaticSelection([int(torch.randint(low, high, (1,), generator=generator)) for low, high in pairs])
    if select == "cgr-max":
        return CgrMaxSelection(channels, count)
    raise UsageError(f"unknown channel selection '{select}'")
