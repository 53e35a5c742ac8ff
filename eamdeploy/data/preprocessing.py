"""Inference preprocessing as data: stored in a checkpoint, carried by every artifact, applied by this one implementation.

Pillow resizes, numpy does the rest; nothing else may touch the pixels (PIL against OpenCV, or another antialiasing, moves
top-1 by up to 2.6 points).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from eamdeploy.base.decoding.decoder import convert
from eamdeploy.base.errors import UsageError, did_you_mean
from eamdeploy.data.picture import eight_bits

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
Images = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes the input of a network.

    Attributes:
        size: side of the square input, in pixels.
        resize: length the short side is resized to before the centre crop; ``None`` resizes straight to ``size`` square.
        mean, std: per channel, of values in [0, 1].
        channels: 3 for RGB, 1 for grey.
        interpolation: Pillow's filter.
        exif: whether a picture is first turned as its EXIF orientation says.
    """

    size: int
    resize: int | None = None
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    channels: int = 3
    interpolation: str = "bilinear"
    exif: bool = False

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            UsageError: when they do not describe a preprocessing.
        """
        if self.interpolation not in FILTERS:
            raise UsageError(f"unknown interpolation '{self.interpolation}'", hint=f"known: {', '.join(FILTERS)}")
        if self.channels not in (1, 3):
            raise UsageError(f"preprocessing is for 1 or 3 channels, not {self.channels}")
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise UsageError(f"mean and std need {self.channels} values each, got {self.mean} and {self.std}")
        if not all(math.isfinite(value) for value in (*self.mean, *self.std)):
            raise UsageError(f"mean and std must be finite numbers, got {self.mean} and {self.std}")
        if min(self.std) <= 0:
            raise UsageError(f"std must be positive, got {self.std}")
        if self.size < 1 or (self.resize is not None and self.resize < self.size):
            raise UsageError(f"resize ({self.resize}) must not be smaller than size ({self.size})")

    def colours(self, image: Image.Image) -> Image.Image:
        """The picture upright, where ``exif`` asks for that, in 8 bits and as many channels as the network sees."""
        if self.exif:
            image = ImageOps.exif_transpose(image)
        return eight_bits(image).convert("RGB" if self.channels == 3 else "L")

    def geometry(self, image: Image.Image) -> Image.Image:
        """Colour conversion, resize and centre crop: the picture the network sees, as 8-bit pixels."""
        image = self.colours(image)
        resample = FILTERS[self.interpolation]
        if self.resize is None:
            return image if image.size == (self.size, self.size) else image.resize((self.size, self.size), resample)
        width, height = image.size
        short = min(width, height)
        if short != self.resize:
            scale = self.resize / short
            width, height = max(self.size, round(width * scale)), max(self.size, round(height * scale))
            image = image.resize((width, height), resample)
        left, top = (width - self.size) // 2, (height - self.size) // 2
        return image.crop((left, top, left + self.size, top + self.size))

    def normalize(self, pixels: npt.NDArray[np.uint8]) -> Images:
        """8-bit pixels ``(..., H, W, C)`` to normalised float32 of the same layout."""
        # one product and one sum of float32, each rounded once: the same bits on every machine
        scale, shift = (np.asarray(values, dtype=np.float32) for values in self.scale_and_shift())
        return pixels.astype(np.float32) * scale + shift

    def scale_and_shift(self) -> tuple[list[float], list[float]]:
        """Per channel, what 8-bit pixels are multiplied by and what is then added; for a board that has no Pillow."""
        shift = [-m / s for m, s in zip(self.mean, self.std, strict=True)]
        return [1 / (255 * s) for s in self.std], shift

    def apply(self, image: Image.Image) -> Images:
        """One picture as float32 ``(C, H, W)``."""
        pixels = np.asarray(self.geometry(image), dtype=np.uint8).reshape(self.size, self.size, self.channels)
        return np.ascontiguousarray(self.normalize(pixels).transpose(2, 0, 1))

    def apply_batch(self, images: Iterable[Image.Image]) -> Images:
        """Pictures as float32 ``(B, C, H, W)``."""
        return np.stack([self.apply(image) for image in images])

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values; ``exif`` only where it is applied."""
        values = asdict(self) | {"mean": list(self.mean), "std": list(self.std)}
        if not self.exif:
            del values["exif"]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: object = "the preprocessing") -> Preprocessing:
        """The inverse of :meth:`to_dict`; see ``preprocessing.schema.json``.

        Raises:
            UsageError: for a field that is unknown, missing, or of another type.
        """
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise UsageError(
                    f"unknown preprocessing field '{name}'", where=where, hint=did_you_mean(str(name), known)
                )
        if "size" not in values:
            raise UsageError("the preprocessing has no size", where=where, hint='such as {"size": 224, "resize": 256}')
        return convert(cls, dict(values), where=where, what="the preprocessing cannot be used")
