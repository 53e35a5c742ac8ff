"""Bring a foreign tensor into PyTorch's layout, told by its shape; refused where its shape does not tell."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor


class Layouts:
    """Counts the layouts met, since a square matrix does not show whether it is transposed and its neighbours do.

    Attributes:
        transposed: tensors that came in TensorFlow's layout (HWIO kernels, input-first matrices).
        plain: tensors that came in PyTorch's, where the two differ.
    """

    def __init__(self) -> None:
        self.transposed = 0
        self.plain = 0

    @property
    def tensorflow(self) -> bool:
        """Whether what was met so far is in TensorFlow's layout."""
        return self.transposed > self.plain

    def fit(self, tensor: Tensor, shape: tuple[int, ...]) -> Tensor | None:
        """``tensor`` in the shape ``shape``; ``None`` where no layout makes it so.

        A 1x1 convolution and a matrix are the same thing, in either direction.
        """
        given_shape = tuple(tensor.shape)
        if len(shape) == 2 and len(given_shape) == 4:
            # 1x1 kernels: OIHW ends in 1x1, HWIO begins with it
            if given_shape[2:] == (1, 1) and self._matrix_first(given_shape[:2], shape):
                return self.fit(tensor[:, :, 0, 0], shape)
            return self.fit(tensor[0, 0], shape) if given_shape[:2] == (1, 1) else None
        if len(shape) == 2 and len(given_shape) == 2:
            return self._matrix(tensor, shape)
        if len(shape) == 4 and len(given_shape) == 4:
            return self._kernel(tensor, shape)
        if len(shape) == 4 and len(given_shape) == 2 and shape[2:] == (1, 1):
            flat = self._matrix(tensor, shape[:2])
            return None if flat is None else flat[:, :, None, None]
        return tensor if given_shape == shape else None

    def _matrix_first(self, given_shape: tuple[int, ...], shape: tuple[int, ...]) -> bool:
        return given_shape in (shape, shape[::-1])

    def _matrix(self, tensor: Tensor, shape: tuple[int, ...]) -> Tensor | None:
        given_shape = tuple(tensor.shape)
        if given_shape == shape == shape[::-1]:
            return tensor.T if self.tensorflow else tensor
        if given_shape == shape:
            self.plain += 1
            return tensor
        if given_shape == shape[::-1]:
            self.transposed += 1
            return tensor.T
        return None

    def _kernel(self, tensor: Tensor, shape: tuple[int, ...]) -> Tensor | None:
        out, inner, high, wide = shape
        given_shape = tuple(tensor.shape)
        if given_shape == shape:
            self.plain += 1
            return tensor
        # HWIO; of a depthwise kernel HWCM, whose multiplier of 1 stands where PyTorch's single input channel does
        if given_shape == (high, wide, inner, out):
            self.transposed += 1
            return tensor.permute(3, 2, 0, 1)
        if inner == 1 and given_shape == (high, wide, out, 1):
            self.transposed += 1
            return tensor.permute(2, 3, 0, 1)
        return None


def shown(shape: Iterable[int]) -> str:
    """For messages: ``32x3x3x3``."""
    return "x".join(map(str, shape)) or "a single number"
