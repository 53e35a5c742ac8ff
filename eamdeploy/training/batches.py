"""Batches of an epoch: the same order and the same transforms for the same seed and epoch, whatever came before."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from eamdeploy.base.errors import DataError
from eamdeploy.data.dataset import ImageDataset
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.training.augment import pad_crop_flip, resized_crop_jitter

Progress = Callable[[int, int], None]
# larger images are decoded as they are needed
IN_MEMORY_BYTES = 2_000_000_000


class Batches:
    """The images of a data set as normalised batches ``(B, C, H, W)`` with their labels ``(B,)``.

    Small data sets are decoded once and kept as 8-bit pixels. Images that cannot be decoded are left out and counted.

    Attributes:
        skipped: keys of the images that could not be decoded.
    """

    def __init__(
        self, dataset: ImageDataset, preprocessing: Preprocessing, augment: str | None, *, seed: int = 0
    ) -> None:
        self.dataset, self.preprocessing, self.augment, self.seed = dataset, preprocessing, augment, seed
        self.skipped: list[str] = []
        self.pixels: Tensor | None
        size, channels = preprocessing.size, preprocessing.channels
        keep = augment != "resized-crop-jitter" and len(dataset) * size * size * channels <= IN_MEMORY_BYTES
        self.indices, self.pixels = list(range(len(dataset))), None
        if keep:
            self.indices, self.pixels = self._decode()
        self.labels = torch.tensor([dataset.label(index) for index in self.indices])
        if not self.indices:
            raise DataError("none of the images could be read", where=dataset.name)

    def __len__(self) -> int:
        """Number of usable images."""
        return len(self.indices)

    def _decode(self) -> tuple[list[int], Tensor]:
        size, channels = self.preprocessing.size, self.preprocessing.channels
        pixels = np.empty((len(self.dataset), size, size, channels), dtype=np.uint8)
        kept: list[int] = []
        for index in range(len(self.dataset)):
            try:
                image = self.preprocessing.geometry(self.dataset.image(index))
            except DataError:
                self.skipped.append(self.dataset.key(index))
                continue
            pixels[len(kept)] = np.asarray(image).reshape(size, size, channels)
            kept.append(index)
        return kept, torch.from_numpy(pixels[: len(kept)]).permute(0, 3, 1, 2).contiguous()

    def epoch(self, epoch: int, batch: int, *, rank: int = 0, world: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """The shuffled, augmented batches of one epoch; of several processes each gets its own share of every batch."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        order = torch.randperm(len(self), generator=generator)
        local = batch // world
        for step in range(len(self) // batch):
            share = order[step * batch + rank * local : step * batch + (rank + 1) * local]
            yield self._batch(share, (self.seed, epoch, step, rank))

    def sequential(self, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All images in order, without augmentation."""
        for start in range(0, len(self), batch):
            share = torch.arange(start, min(start + batch, len(self)))
            yield self._normalize(self._fixed(share)), self.labels[share]

    def _batch(self, share: Tensor, key: tuple[int, int, int, int]) -> tuple[Tensor, Tensor]:
        if self.augment == "resized-crop-jitter":
            rng = np.random.default_rng(key)
            mode = "RGB" if self.preprocessing.channels == 3 else "L"
            images = [self.dataset.image(self.indices[index]).convert(mode) for index in share.tolist()]
            arrays = [np.asarray(resized_crop_jitter(image, self.preprocessing.size, rng)) for image in images]
            pixels = torch.from_numpy(np.stack(arrays))
            return self._normalize(pixels.reshape(*pixels.shape[:3], -1).permute(0, 3, 1, 2)), self.labels[share]
        pixels = self._fixed(share)
        if self.augment in {"pad-crop-flip", "flip"}:
            state = int(np.random.default_rng(key).integers(2**62))
            pad = 4 if self.augment == "pad-crop-flip" else 0
            pixels = pad_crop_flip(pixels, torch.Generator().manual_seed(state), pad)
        return self._normalize(pixels), self.labels[share]

    def _fixed(self, share: Tensor) -> Tensor:
        if self.pixels is not None:
            return self.pixels[share]
        images = [self.preprocessing.geometry(self.dataset.image(self.indices[index])) for index in share.tolist()]
        pixels = torch.from_numpy(np.stack([np.asarray(image) for image in images]))
        return pixels.reshape(*pixels.shape[:3], -1).permute(0, 3, 1, 2)

    def _normalize(self, pixels: Tensor) -> Tensor:
        channels_last = pixels.permute(0, 2, 3, 1).numpy()
        return torch.from_numpy(self.preprocessing.normalize(channels_last)).permute(0, 3, 1, 2).contiguous()
