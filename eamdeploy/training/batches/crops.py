"""Random crops and flips of a batch in one pass, drawn on the host and cut where the images are.

The random numbers come from the host's generator, so that a run draws the same crops on every device.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Crops:
    """Where each of ``N`` images is cut out of its padded self, and whether it is then mirrored.

    Attributes:
        offsets: ``(N,)``, row times ``2 pad + 1`` plus column of the crop's corner.
        flips: ``(N,)``, true where the crop is mirrored left to right.
        pad: zeros added on each side before cutting.
    """

    offsets: Tensor
    flips: Tensor
    pad: int

    def __getitem__(self, part: slice) -> Crops:
        """The crops of some of the images."""
        return Crops(self.offsets[part], self.flips[part], self.pad)

    def to(self, device: torch.device) -> Crops:
        """The same crops on ``device``."""
        return Crops(self.offsets.to(device), self.flips.to(device), self.pad)


def draw_crops(count: int, generator: torch.Generator, pad: int) -> Crops:
    """Random corners within the padding, and a flip for half of the images."""
    span = 2 * pad + 1
    offsets = torch.randint(span * span, (count,), generator=generator)
    return Crops(offsets, torch.rand(count, generator=generator) < 0.5, pad)


def join_crops(parts: list[Crops]) -> Crops:
    """The crops of several batches in a row; all have the same padding."""
    return Crops(torch.cat([part.offsets for part in parts]), torch.cat([part.flips for part in parts]), parts[0].pad)


def cut_crops(images: Tensor, crops: Crops) -> Tensor:
    """Pad with zeros, cut and mirror: ``(B, C, H, W)`` of any type, to the same shape, as one gather for the whole batch."""
    height, width, pad = images.shape[2], images.shape[3], crops.pad
    span = 2 * pad + 1
    columns = torch.arange(width, device=images.device).expand(len(images), -1)
    columns = torch.where(crops.flips[:, None], width - 1 - columns, columns) + (crops.offsets % span)[:, None]
    rows = torch.arange(height, device=images.device) + (crops.offsets // span)[:, None]
    positions = rows[:, :, None] * (width + 2 * pad) + columns[:, None, :]  # (B, H, W), in the padded image
    padded = F.pad(images, (pad, pad, pad, pad)).flatten(2)
    cut = padded.gather(2, positions.flatten(1)[:, None].expand(-1, images.shape[1], -1))
    return cut.unflatten(2, (height, width))
