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
        size: side of the square input, in pixels; or its (height, width).
        resize: length the short side is resized to before the centre crop; ``None`` resizes straight to ``size``.
        mean, std: per channel, of values in [0, 1].
        channels: 3 for RGB, 1 for grey; any other number repeats the grey picture, for checks of networks that take no images.
        interpolation: Pillow's filter.
        exif: whether a picture is first turned as its EXIF orientation says.
    """

    size: int | tuple[int, int]
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
        if self.channels < 1:
            raise UsageError(f"preprocessing needs at least 1 channel, not {self.channels}")
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise UsageError(f"mean and std need {self.channels} values each, got {self.mean} and {self.std}")
        if not all(math.isfinite(value) for value in (*self.mean, *self.std)):
            raise UsageError(f"mean and std must be finite numbers, got {self.mean} and {self.std}")
        if min(self.std) <= 0:
            raise UsageError(f"std must be positive, got {self.std}")
        if min(self.size_hw) < 1:
            raise UsageError(f"size must be at least 1 pixel, got {self.size}")
        if self.resize is not None and self.resize < min(self.size_hw):
            raise UsageError(f"resize ({self.resize}) must not be smaller than size ({self.size})")

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the input, in pixels."""
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    @property
    def side(self) -> int:
        """The side of a square input, in pixels.

        Raises:
            UsageError: when it is not square.
        """
        height, width = self.size_hw
        if height != width:
            raise UsageError(f"the input is {height}x{width}", why="this step takes square images")
        return height

    def colours(self, image: Image.Image) -> Image.Image:
        """The picture upright, where ``exif`` asks for that, in 8 bits and as many channels as the network sees."""
        if self.exif:
            image = ImageOps.exif_transpose(image)
        return eight_bits(image).convert("RGB" if self.channels == 3 else "L")

    def geometry(self, image: Image.Image) -> Image.Image:
        """Colour conversion, resize and centre crop: the picture the network sees, as 8-bit pixels."""
        image = self.colours(image)
        resample = FILTERS[self.interpolation]
        rows, columns = self.size_hw
        if self.resize is None:
            return image if image.size == (columns, rows) else image.resize((columns, rows), resample)
        width, height = image.size
        short = min(width, height)
        if short != self.resize:
            scale = self.resize / short
            width, height = max(columns, round(width * scale)), max(rows, round(height * scale))
            image = image.resize((width, height), resample)
        left, top = (width - columns) // 2, (height - rows) // 2
        return image.crop((left, top, left + columns, top + rows))

    def pixels(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """The picture the network sees as 8-bit pixels ``(H, W, C)``."""
        array = np.asarray(self.geometry(image), dtype=np.uint8).reshape(*self.size_hw, -1)
        return array if array.shape[2] == self.channels else np.repeat(array, self.channels, axis=2)

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
        pixels = self.pixels(image)
        return np.ascontiguousarray(self.normalize(pixels).transpose(2, 0, 1))

    def apply_batch(self, images: Iterable[Image.Image]) -> Images:
        """Pictures as float32 ``(B, C, H, W)``."""
        return np.stack([self.apply(image) for image in images])

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values; ``exif`` only where it is applied."""
        size = self.size if isinstance(self.size, int) else list(self.size)
        values = asdict(self) | {"size": size, "mean": list(self.mean), "std": list(self.std)}
        if not self.exif:
            del values["exif"]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: object = "the preprocessing") -> Preprocessing:
        """The inverse of :meth:`to_dict`; see ``preprocessing.schema.json``.

        Raises:
            UsageError: for a field that is unknown, missing, or of another type.
        """
        field_names = [field.name for field in fields(cls)]
        for name in values:
            if name not in field_names:
                raise UsageError(
                    f"unknown preprocessing field '{name}'", where=where, hint=did_you_mean(str(name), field_names)
                )
        if "size" not in values:
            raise UsageError("the preprocessing has no size", where=where, hint='such as {"size": 224, "resize": 256}')
        return convert(cls, dict(values), where=where, what="the preprocessing cannot be used")
