"""Crops cut for a whole batch in one pass are those cut image by image."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from eamdeploy.training.batches.crops import Crops, cut_crops, draw_crops, join_crops


def one_by_one(images: Tensor, crops: Crops) -> Tensor:
    """Slices of each padded image, mirrored where asked."""
    height, width = images.shape[2:]
    padded = F.pad(images, (crops.pad,) * 4)
    out = []
    for image, offset, flip in zip(padded, crops.offsets.tolist(), crops.flips.tolist(), strict=True):
        top, left = divmod(offset, 2 * crops.pad + 1)
        cut = image[:, top : top + height, left : left + width]
        out.append(cut.flip(2) if flip else cut)
    return torch.stack(out)


@pytest.mark.parametrize("pad", [0, 2, 4])
@pytest.mark.parametrize("shape", [(64, 3, 32, 32), (9, 1, 28, 20), (1, 3, 5, 7)])
def test_one_pass_cuts_what_slices_cut(pad: int, shape: tuple[int, ...]) -> None:
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    crops = draw_crops(shape[0], torch.Generator().manual_seed(1), pad)
    assert torch.equal(cut_crops(images, crops), one_by_one(images, crops))


def test_every_corner_and_both_sides_are_drawn() -> None:
    crops = draw_crops(5000, torch.Generator().manual_seed(0), 4)
    assert set(crops.offsets.tolist()) == set(range(81))
    assert 0.45 < float(crops.flips.float().mean()) < 0.55


def test_crops_of_an_epoch_are_those_of_its_batches() -> None:
    parts = [draw_crops(3, torch.Generator().manual_seed(seed), 4) for seed in range(4)]
    whole = join_crops(parts)
    for index, part in enumerate(parts):
        cut = whole[3 * index : 3 * index + 3]
        assert torch.equal(cut.offsets, part.offsets)
        assert torch.equal(cut.flips, part.flips)
