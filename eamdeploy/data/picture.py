"""The one reader of picture files: every format that Pillow decodes, as 8-bit pixels, with what was noticed on the way."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from eamdeploy.base.errors import DataError
from eamdeploy.base.files import ordinary

# formats that Pillow opens by running another program, or of which it knows the header alone
_NO_PICTURES = {"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG", "IPTC", "FITS"}
_ORIENTATION = 0x0112  # EXIF's tag
_WIDE = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
_LARGEST = "eamdeploy_largest_value"
_BYTE, _WORD, _LONG = 255, 65535, 4294967295


@cache
def picture_suffixes() -> frozenset[str]:
    """Endings of the formats that this Pillow decodes, in lower case: ``.jpg``, ``.jfif``, ``.avif``, ..."""
    Image.init()
    suffixes = Image.registered_extensions()
    return frozenset(suffix for suffix, kind in suffixes.items() if kind in Image.OPEN and kind not in _NO_PICTURES)


def read_image(path: Path) -> Image.Image:
    """Decode a picture fully, to at most 8 bits a channel; of several frames the first.

    Raises:
        DataError: naming the file, when it is missing or no image.
    """
    try:
        with Image.open(ordinary(path)) as image:
            image.load()
            return eight_bits(image, path)
    except FileNotFoundError as error:
        raise DataError("no such image", where=path) from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = "it is no image" if isinstance(error, UnidentifiedImageError) else str(error)
        raise DataError("cannot read the image", where=path, why=reason, hint="remove or replace it") from error


def eight_bits(image: Image.Image, where: object = None) -> Image.Image:
    """A copy in which grey values of 16 bits, 32 bits or floating point are scaled to 8 bits, not cut off at 255.

    Whole numbers of 32 bits are taken as 16 bits where none is larger, as PNG decoders give them; floating-point values as
    [0, 1], or as [0, 255] where one is larger.

    Raises:
        DataError: for values outside of those ranges.
    """
    if image.mode not in _WIDE:
        return image.copy()
    values = np.asarray(image).astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if not np.isfinite(values).all() or low < 0 or (image.mode == "F" and high > _BYTE) or high > _LONG:
        why = f"its values are from {low:g} to {high:g}, not from 0 to 255 or from 0 to 1"
        raise DataError(
            "the image's grey values have no known range", where=where, why=why, hint="save it with 8 or 16 bits"
        )
    top = (1.0 if high <= 1 else _BYTE) if image.mode == "F" else (_WORD if high <= _WORD else _LONG)
    eight_bit = Image.fromarray(np.rint(values * (_BYTE / top)).astype(np.uint8))
    eight_bit.info.update({key: value for key, value in image.info.items() if key == "exif"})
    if image.mode != "F":
        eight_bit.info[_LARGEST] = int(high)
    return eight_bit


def largest_value(image: Image.Image) -> int | None:
    """The largest grey value of a picture whose file has more than 8 bits; ``None`` of others, and of floating point."""
    largest = image.info.get(_LARGEST)
    return largest if isinstance(largest, int) else None


def is_turned(image: Image.Image) -> bool:
    """Whether a picture's EXIF data say that it is to be shown turned or mirrored."""
    return image.getexif().get(_ORIENTATION, 1) not in (0, 1)
