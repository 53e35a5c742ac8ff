"""From float32 NCHW images to what an artifact wants, and back: layout, fixed batch, input and output scales."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eamdeploy.base.errors import DataError, UsageError
from runtimes.protocol import TensorInfo

if TYPE_CHECKING:
    from runtimes.protocol import Array, Float32


@dataclass(frozen=True)
class AffineQuantization:
    """Per-tensor scale of a quantized input or output: real = scale * (stored - zero_point)."""

    scale: float
    zero_point: int

    def quantize(self, values: Array, dtype: str) -> Array:
        """Real values to ``dtype``, rounded to nearest and clipped to its range."""
        limits = np.iinfo(dtype)
        scaled = np.rint(values / np.float32(self.scale)) + self.zero_point
        stored: Array = np.clip(scaled, limits.min, limits.max).astype(dtype)
        return stored

    def dequantize(self, stored: Array) -> Array:
        """Stored values to float32."""
        return (stored.astype(np.int32) - self.zero_point).astype(np.float32) * np.float32(self.scale)


def as_input(values: Array, dtype: str, path: Path) -> Array:
    """Prepared images in an input's own type.

    Raises:
        DataError: the input wants whole numbers, pixels as they are, and the images were normalised.
    """
    kind: Any = np.dtype(dtype)
    if kind.kind not in "iu":
        return values.astype(kind)
    limits = np.iinfo(kind)
    whole = np.rint(values)
    if (
        np.abs(whole - values).max(initial=0) > 1e-3
        or whole.min(initial=0) < limits.min
        or whole.max(initial=0) > limits.max
    ):
        why = f"it takes whole numbers ({dtype}), and the preprocessing makes {values.min():.3g} to {values.max():.3g}"
        hint = 'give pixels as they are: "normalize": "pixels" in the preprocessing'
        raise DataError("the images do not fit the artifact", where=path, why=why, hint=hint)
    return whole.astype(kind)


def input_layout(tensor: TensorInfo, declared: str | None, default: str) -> str:
    """NCHW or NHWC: what the metadata declares, else what the shape tells, else ``default``."""
    if declared in ("NCHW", "NHWC"):
        return declared
    if len(tensor.shape) == 4:
        first, last = tensor.shape[1] in (1, 3, 4), tensor.shape[3] in (1, 3, 4)
        if first != last:
            return "NCHW" if first else "NHWC"
    return default


def image_input(inputs: Sequence[TensorInfo], path: Path) -> TensorInfo:
    """The single (B, C, H, W) or (B, H, W, C) input of an artifact.

    Raises:
        UsageError: the artifact has another number of inputs, or its input is not an image.
    """
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        shapes = ", ".join(f"{tensor.name} {tensor.shape}" for tensor in inputs)
        raise UsageError("the artifact does not take one batch of images", where=path, why=f"its inputs are {shapes}")
    return inputs[0]


def run_in_chunks(
    batch: Float32, tensor: TensorInfo, layout: str, path: Path, once: Callable[[Array], Sequence[Array]]
) -> list[Array]:
    """Cut a batch into what the artifact takes, run each piece, and join the outputs.

    Args:
        batch: float32 (B, C, H, W).
        tensor: the artifact's input; a fixed first dimension is filled up with copies of the last image, whose
            outputs are dropped again.
        layout: of the artifact's input.
        path: for messages.
        once: runs one piece in the artifact's layout, as float32.

    Raises:
        DataError: the images don't have the artifact's size.
    """
    if batch.ndim != 4 or not len(batch):
        raise DataError("a batch of images has four dimensions (B, C, H, W) and is not empty", where=batch.shape)
    images = np.ascontiguousarray(batch if layout == "NCHW" else batch.transpose(0, 2, 3, 1), dtype=np.float32)
    for expected_size, image_size in zip(tensor.shape[1:], images.shape[1:]):
        if expected_size is not None and expected_size != image_size:
            why = f"it takes {_dims(tensor.shape)} ({layout}), the images are {_dims((None, *images.shape[1:]))}"
            raise DataError("the images do not fit the artifact", where=path, why=why)
    step = tensor.shape[0] or len(images)
    pieces: list[Sequence[Array]] = []
    for start in range(0, len(images), step):
        piece = images[start : start + step]
        count = len(piece)
        if count < step:
            piece = np.concatenate([piece, np.repeat(piece[-1:], step - count, axis=0)])
        outputs = once(piece)
        pieces.append([value[:count] if value.ndim and value.shape[0] == step else value for value in outputs])
    return [_join([piece[index] for piece in pieces]) for index in range(len(pieces[0]))]


def sample_feeds(inputs: Sequence[TensorInfo], seed: int = 0, batch: int = 1) -> dict[str, Array]:
    """Random tensors that an artifact accepts, for timing; open dimensions become ``batch``."""
    generator = np.random.default_rng(seed)
    feeds: dict[str, Array] = {}
    for tensor in inputs:
        shape = tuple(batch if size is None else size for size in tensor.shape)
        dtype: Any = np.dtype(tensor.dtype)
        if dtype.kind in "iu":
            high = min(int(np.iinfo(dtype).max), 255) + 1
            feeds[tensor.name] = generator.integers(0, high, shape).astype(dtype)
        else:
            feeds[tensor.name] = generator.standard_normal(shape).astype(dtype)
    return feeds


def _join(parts: Sequence[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _dims(shape: Sequence[int | None]) -> str:
    return "x".join("B" if size is None else str(size) for size in shape)
