"""What an ONNX tensor is in ncnn: a blob without the batch, or a constant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runtimes.readers.ncnn_file import Parameter

Shape = tuple[int, ...]


def without_batch(shape: Shape) -> Shape:
    """The dimensions of the blob for a tensor of one image: ncnn knows no batch."""
    return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape


@dataclass(frozen=True)
class NcnnValue:
    """A computed tensor.

    Attributes:
        blob: its name in the ncnn network.
        shape: as ONNX has it, batch included.
        dims: the blob's dimensions, outermost first. Usually ``natural``; a few layers give, or want, the same elements
            in dimensions that spare ncnn a copy.
    """

    blob: str
    shape: Shape
    dims: Shape

    @property
    def natural(self) -> Shape:
        """The dimensions that ONNX's shape has without the batch."""
        return without_batch(self.shape)

    def axis(self, axis: int) -> int:
        """The axis of the natural dimensions for ONNX's ``axis``; negative for the batch."""
        return axis % len(self.shape) - (len(self.shape) - len(self.natural))


# the ids of width, height, depth and channels by the number of dimensions, outermost first
_SIZE_IDS = {1: (0,), 2: (1, 0), 3: (2, 1, 0), 4: (2, 11, 1, 0)}


def sizes(dims: Sequence[int]) -> dict[int, Parameter]:
    """Dimensions as the parameters of Input, Reshape and MemoryData."""
    return dict(sorted(zip(_SIZE_IDS[len(dims)], dims, strict=True)))
