"""The paper's training transform for large images (Ding et al. 2021, section 4.1)."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageEnhance


def resized_crop_jitter(image: Image.Image, size: int, rng: np.random.Generator, jitter: float = 0.4) -> Image.Image:
    """A random crop of 8 to 100 % of the area and ratio 3/4 to 4/3 resized to ``size``, flip, colour jitter (Szegedy 2015)."""
    width, height = image.size
    box = (0, 0, width, height)
    for _ in range(10):
        area = width * height * rng.uniform(0.08, 1.0)
        ratio = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
            box = (left, top, left + w, top + h)
            break
    image = image.resize((size, size), Image.Resampling.BILINEAR, box=box)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(rng.uniform(1 - jitter, 1 + jitter))
    return image
