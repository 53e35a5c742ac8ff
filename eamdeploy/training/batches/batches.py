"""Batches of an epoch: the same order and the same transforms for the same seed and epoch, whatever came before."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from eamdeploy.base.errors import DataError
from eamdeploy.data.dataset import ImageDataset
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.training.batches.crops import Crops, cut_crops, draw_crops, join_crops
from eamdeploy.training.batches.resized_crop import resized_crop_jitter

# larger images are decoded as they are needed
IN_MEMORY_BYTES = 2_000_000_000
PADDINGS = {"flip": 0, "pad-crop-flip": 4}
Key = tuple[int, int, int, int]
CPU = torch.device("cpu")


class Batches:
    """The images of a data set as normalised batches ``(B, C, H, W)`` with their labels ``(B,)``, on one device.

    Small data sets are decoded once and kept on the device as 8-bit pixels; cropping, flipping and normalising happen there, one
    pass per batch. Images that cannot be decoded are left out and counted.

    Attributes:
        skipped: keys of the images that could not be decoded.
    """

    def __init__(
        self,
        dataset: ImageDataset,
        preprocessing: Preprocessing,
        augment: str | None,
        *,
        seed: int = 0,
        device: torch.device = CPU,
    ) -> None:
        self.dataset, self.preprocessing, self.augment, self.seed = dataset, preprocessing, augment, seed
        self.device = device
        self.skipped: list[str] = []
        self.pixels: Tensor | None
        size, channels = preprocessing.side, preprocessing.channels
        keep = augment != "resized-crop-jitter" and len(dataset) * size * size * channels <= IN_MEMORY_BYTES
        self.indices, self.pixels = list(range(len(dataset))), None
        if keep:
            self.indices, pixels = self._decode()
            self.pixels = pixels.to(device)
        self.labels = torch.tensor([dataset.label(index) for index in self.indices]).to(device)
        if not self.indices:
            raise DataError("none of the images could be read", where=dataset.name)
        scale, shift = (torch.tensor(values, dtype=torch.float32) for values in preprocessing.scale_and_shift())
        self._scale, self._shift = scale[:, None, None].to(device), shift[:, None, None].to(device)

    def __len__(self) -> int:
        """Number of usable images."""
        return len(self.indices)

    def _decode(self) -> tuple[list[int], Tensor]:
        size, channels = self.preprocessing.side, self.preprocessing.channels
        pixels = np.empty((len(self.dataset), size, size, channels), dtype=np.uint8)
        decoded: list[int] = []
        for index in range(len(self.dataset)):
            try:
                image = self.preprocessing.geometry(self.dataset.image(index))
            except DataError:
                self.skipped.append(self.dataset.key(index))
                continue
            pixels[len(decoded)] = np.asarray(image).reshape(size, size, channels)
            decoded.append(index)
        return decoded, torch.from_numpy(pixels[: len(decoded)]).permute(0, 3, 1, 2).contiguous()

    def epoch(self, epoch: int, batch: int, *, rank: int = 0, world: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """The shuffled, augmented batches of one epoch; of several processes each gets its own share of every batch.

        Order and crops of the whole epoch are drawn first and sent to the device once.
        """
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        steps, local = len(self) // batch, batch // world
        order = torch.randperm(len(self), generator=generator)[: steps * batch]
        shard = order.view(steps, batch)[:, rank * local : (rank + 1) * local]
        keys = [(self.seed, epoch, step, rank) for step in range(steps)]
        if self.augment == "resized-crop-jitter":
            for share, key in zip(shard, keys, strict=True):
                yield self._jittered(share, key)
            return
        crops = self._draw(keys, local)
        shares = shard.to(self.device)
        for step in range(steps):
            pixels = self._fixed(shares[step])
            if crops is not None:
                pixels = cut_crops(pixels, crops[step * local : (step + 1) * local])
            yield self._normalize(pixels), self.labels[shares[step]]

    def sequential(self, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All images in order, without augmentation."""
        for start in range(0, len(self), batch):
            share = torch.arange(start, min(start + batch, len(self)), device=self.device)
            yield self._normalize(self._fixed(share)), self.labels[share]

    def _draw(self, keys: list[Key], count: int) -> Crops | None:
        """The crops of ``count`` images for each of ``keys``, on the device; each batch has a generator of its own."""
        if self.augment not in PADDINGS or not keys:
            return None
        states = [int(np.random.default_rng(key).integers(2**62)) for key in keys]
        pad = PADDINGS[self.augment]
        return join_crops([draw_crops(count, torch.Generator().manual_seed(state), pad) for state in states]).to(
            self.device
        )

    def _jittered(self, share: Tensor, key: Key) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng(key)
        images = [self.preprocessing.colours(self.dataset.image(self.indices[index])) for index in share.tolist()]
        arrays = [np.asarray(resized_crop_jitter(image, self.preprocessing.side, rng)) for image in images]
        return self._normalize(self._stacked(arrays)), self.labels[share.to(self.device)]

    def _fixed(self, share: Tensor) -> Tensor:
        if self.pixels is not None:
            return self.pixels[share]
        images = [self.preprocessing.geometry(self.dataset.image(self.indices[index])) for index in share.tolist()]
        return self._stacked([np.asarray(image) for image in images])

    def _stacked(self, arrays: list[npt.NDArray[np.uint8]]) -> Tensor:
        pixels = torch.from_numpy(np.stack(arrays))
        return pixels.reshape(*pixels.shape[:3], -1).permute(0, 3, 1, 2).to(self.device)

    def _normalize(self, pixels: Tensor) -> Tensor:
        # a product and a sum, each rounded once: the bits of Preprocessing.normalize, on every device
        return (pixels.to(torch.float32) * self._scale + self._shift).contiguous()
