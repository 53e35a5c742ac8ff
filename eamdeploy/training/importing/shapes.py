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

    def fit(self, tensor: Tensor, wanted: tuple[int, ...]) -> Tensor | None:
        """``tensor`` in the shape ``wanted``; ``None`` where no layout makes it so.

        A 1x1 convolution and a matrix are the same thing, in either direction.
        """
        given = tuple(tensor.shape)
        if len(wanted) == 2 and len(given) == 4:
            # 1x1 kernels: OIHW ends in 1x1, HWIO begins with it
            if given[2:] == (1, 1) and self._matrix_first(given[:2], wanted):
                return self.fit(tensor[:, :, 0, 0], wanted)
            return self.fit(tensor[0, 0], wanted) if given[:2] == (1, 1) else None
        if len(wanted) == 2 and len(given) == 2:
            return self._matrix(tensor, wanted)
        if len(wanted) == 4 and len(given) == 4:
            return self._kernel(tensor, wanted)
        if len(wanted) == 4 and len(given) == 2 and wanted[2:] == (1, 1):
            flat = self._matrix(tensor, wanted[:2])
            return None if flat is None else flat[:, :, None, None]
        return tensor if given == wanted else None

    def _matrix_first(self, given: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
        return given in (wanted, wanted[::-1])

    def _matrix(self, tensor: Tensor, wanted: tuple[int, ...]) -> Tensor | None:
        given = tuple(tensor.shape)
        if given == wanted == wanted[::-1]:
            return tensor.T if self.tensorflow else tensor
        if given == wanted:
            self.plain += 1
            return tensor
        if given == wanted[::-1]:
            self.transposed += 1
            return tensor.T
        return None

    def _kernel(self, tensor: Tensor, wanted: tuple[int, ...]) -> Tensor | None:
        out, inner, high, wide = wanted
        given = tuple(tensor.shape)
        if given == wanted:
            self.plain += 1
            return tensor
        # HWIO; of a depthwise kernel HWCM, whose multiplier of 1 stands where PyTorch's single input channel does
        if given == (high, wide, inner, out):
            self.transposed += 1
            return tensor.permute(3, 2, 0, 1)
        if inner == 1 and given == (high, wide, out, 1):
            self.transposed += 1
            return tensor.permute(2, 3, 0, 1)
        return None


def shown(shape: Iterable[int]) -> str:
    """For messages: ``32x3x3x3``."""
    return "x".join(map(str, shape)) or "a single number"
