"""The attention of a dynamic layer in operators that export well.

* channels: a gather with constant indices (ONNX); slices or a one-hot convolution of the channels-last map (TFLite:
  no transpose of the whole map); a run of neighbours is one slice. CGR-max stays a choice made from the data.
* adaptive average pooling: two constant matrices, exact; on small maps they and the first linear layer are one matrix.
* the softmax's 1 / tau is folded into the last linear layer.
"""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eamdeploy.networks.layers.attention import Attention
from eamdeploy.networks.layers.pooling import average_matrix, cells
from eamdeploy.networks.layers.selection import CgrMaxSelection, StaticSelection
from export.planning.target import Target

# pooling and the first linear layer become one matrix where it has at most this many elements (160 kB)
FOLD_UP_TO_ELEMENTS = 40_000
# channels last: one slice per channel up to these sizes, one convolution beyond
SLICE_UP_TO_CHANNELS = 8
SLICE_UP_TO_POSITIONS = 64 * 64
# and up to here one transpose of the few chosen channels is as fast, with fewer operators for the converter to go through
TRANSPOSE_UP_TO_POSITIONS = 20 * 20


class LoweredAttention(nn.Module):
    """``x: (B, C, H, W) -> alpha: (B, k)``, equal to the :class:`Attention` it is made from."""

    def __init__(self, attention: Attention, input_hw: tuple[int, int], target: Target) -> None:
        super().__init__()
        height, width = input_hw
        selected = attention.selected
        self.channels_last = target.channels_last
        self.select = _lower_selection(attention, input_hw, target)
        fc1, fc2 = attention.fc1, attention.fc2
        size = attention.pool_size
        weight = fc1.weight.detach().unflatten(1, (selected, size, size))
        folded = attention.pool == "avg" and fc1.out_features * selected * height * width <= FOLD_UP_TO_ELEMENTS
        self.pool: nn.Module
        if folded and not (size == 1 and selected == attention.channels):
            rows, columns = (average_matrix(length, size, torch.float64) for length in (height, width))
            full = torch.einsum("ocij,ih,jw->ochw", weight.double(), rows, columns).to(weight.dtype)
            self.pool = nn.Identity()
            weight = full
        elif attention.pool == "avg" and size == 1:
            self.pool = GlobalAverage()
        elif attention.pool == "avg" and self.channels_last and isinstance(self.select, nn.Identity):
            self.pool = AverageRowsFirst(height, width, size, weight.dtype)
            weight = weight.transpose(2, 3)
        elif attention.pool == "avg":
            self.pool = AverageMatrices(height, width, size, weight.dtype, transposed=self.channels_last)
            # the transposed form leaves (B, C', s_w, s_h): the linear layer's columns follow it
            weight = weight.transpose(2, 3) if self.channels_last else weight
        else:
            self.pool = MaxCells(height, width, size, windows=target.runtime == "ncnn")
        self.fc1 = _linear(weight.flatten(1), fc1.bias)
        self.fc2 = _linear(fc2.weight.detach() / attention.temperature, fc2.bias.detach() / attention.temperature)

    def forward(self, x: Tensor) -> Tensor:
        """The mixing weights of each image, rows that sum to 1."""
        features = self.pool(self.select(x)).flatten(1)
        return torch.softmax(self.fc2(F.relu(self.fc1(features))), dim=1)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
    linear.weight = nn.Parameter(weight.contiguous().clone(), requires_grad=False)
    linear.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return linear


def _lower_selection(attention: Attention, input_hw: tuple[int, int], target: Target) -> nn.Module:
    selection = attention.selection
    if selection is None:
        return nn.Identity()
    if isinstance(selection, StaticSelection):
        indices = [int(index) for index in selection.indices]
        return SelectLast(indices, attention.channels, input_hw) if target.channels_last else GatherChannels(indices)
    if isinstance(selection, CgrMaxSelection):
        return PickLargest(selection) if target.runtime == "ncnn" else ChooseLargest(selection, target)
    return copy.deepcopy(selection)


class GatherChannels(nn.Module):
    """``(B, C, H, W) -> (B, C', H, W)``: a slice where the channels are neighbours, else a gather."""

    indices: Tensor

    def __init__(self, indices: list[int]) -> None:
        super().__init__()
        self.run = (indices[0], indices[-1] + 1) if indices == list(range(indices[0], indices[-1] + 1)) else None
        self.register_buffer("indices", torch.tensor(indices, dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """The chosen channels."""
        return x[:, self.run[0] : self.run[1]] if self.run else x.index_select(1, self.indices)


class SelectLast(nn.Module):
    """``(B, C, H, W) -> (B, C', H, W)`` out of a map that the runtime keeps channels last.

    A run of neighbours is one slice. Few channels of a small map are one slice each: a slice one channel wide needs no
    transpose. Many channels, or a large map, are one static 1x1 convolution with one-hot kernels: every slice would read the
    whole map again, and the converter's gather transposes it.
    """

    pick: Tensor

    def __init__(self, indices: list[int], channels: int, input_hw: tuple[int, int]) -> None:
        super().__init__()
        self.indices = indices
        self.run = (indices[0], indices[-1] + 1) if indices == list(range(indices[0], indices[-1] + 1)) else None
        self.slices = len(indices) <= SLICE_UP_TO_CHANNELS and math.prod(input_hw) <= SLICE_UP_TO_POSITIONS
        self.register_buffer("pick", torch.eye(channels)[indices][:, :, None, None])

    def forward(self, x: Tensor) -> Tensor:
        """The chosen channels."""
        last = x.permute(0, 2, 3, 1)
        if self.run and len(self.indices) > 1:
            return last[..., self.run[0] : self.run[1]].permute(0, 3, 1, 2)
        if self.slices and x.shape[2] * x.shape[3] <= TRANSPOSE_UP_TO_POSITIONS:
            parts = [last[..., index : index + 1] for index in self.indices]
            return (parts[0] if len(parts) == 1 else torch.cat(parts, dim=3)).permute(0, 3, 1, 2)
        if self.slices:
            shape = (x.shape[0], 1, x.shape[2], x.shape[3])
            parts = [last[..., index : index + 1].reshape(shape) for index in self.indices]
            return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
        return F.conv2d(x, self.pick.to(x))


class ChooseLargest(nn.Module):
    """CGR-max, decided anew for each image: ``(B, C, H, W) -> (B, C', H, W)``."""

    offsets: Tensor

    def __init__(self, selection: CgrMaxSelection, target: Target) -> None:
        super().__init__()
        self.bounds, self.channels, self.count = list(selection.bounds), selection.channels, selection.count
        self.channels_last, self.single = target.channels_last, target.batch == 1
        self.register_buffer("offsets", torch.tensor(self.bounds[:-1], dtype=torch.int64))

    def choose(self, x: Tensor) -> Tensor:
        """Indices of the chosen channels, ``(B, C')``; ties go to the lowest."""
        means = x.mean(dim=(2, 3))
        if self.channels % self.count == 0:
            return means.unflatten(1, (self.count, -1)).argmax(dim=2) + self.offsets
        blocks = zip(self.bounds[:-1], self.bounds[1:], strict=True)
        return torch.cat([means[:, low:high].argmax(dim=1, keepdim=True) + low for low, high in blocks], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """The chosen channels of each image."""
        index = self.choose(x)
        if self.channels_last:
            maps = x.permute(0, 2, 3, 1)
            if self.single:
                return maps.index_select(3, index.flatten()).permute(0, 3, 1, 2)
            picked_maps = [maps[image].index_select(2, index[image]) for image in range(x.shape[0])]
            return torch.stack(picked_maps).permute(0, 3, 1, 2)
        if self.single:
            return x.index_select(1, index.flatten())
        # rows of (B C, H W): one gather whatever the batch, without an index per position
        first = torch.arange(x.shape[0], device=x.device)[:, None] * self.channels
        return x.flatten(0, 1).index_select(0, (index + first).flatten()).unflatten(0, (-1, self.count))


class PickLargest(nn.Module):
    """CGR-max by a product with a one-hot matrix that is made from the image: ``(1, C, H, W) -> (1, C', H, W)``.

    For a runtime without a gather by computed indices. A channel's entry is 1 where its mean equals the largest of its
    block, and no earlier one does; 1 times a value and 0 times finite ones add up to the value itself.
    """

    # above any difference of two different means, and its product with one still finite
    STEEP = 1e30

    block: Tensor

    def __init__(self, selection: CgrMaxSelection) -> None:
        super().__init__()
        self.bounds, self.channels, self.count = list(selection.bounds), selection.channels, selection.count
        block = torch.zeros(self.count, self.channels)
        for row, (low, high) in enumerate(zip(self.bounds[:-1], self.bounds[1:], strict=True)):
            block[row, low:high] = 1.0
        self.register_buffer("block", block)

    def first_largest(self, means: Tensor) -> Tensor:
        """One block's ``(1, n)`` means to zeros with a 1 at the first largest."""
        equal = ((means - means.amax(dim=1, keepdim=True)) * self.STEEP + 1.0).clamp(0.0, 1.0)
        return equal * (2.0 - equal.cumsum(dim=1)).clamp(0.0, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        """The chosen channels."""
        means = x.mean(dim=(2, 3))
        blocks = zip(self.bounds[:-1], self.bounds[1:], strict=True)
        largest = torch.cat([self.first_largest(means[:, low:high]) for low, high in blocks], dim=1)
        picked = (largest * self.block.to(x)).unsqueeze(0) @ x.flatten(2)
        return picked.unflatten(2, (x.shape[2], x.shape[3]))


class GlobalAverage(nn.Module):
    """``(B, C', H, W) -> (B, C')``."""

    def forward(self, z: Tensor) -> Tensor:
        """The spatial mean."""
        return z.mean(dim=(2, 3))


class AverageMatrices(nn.Module):
    """Adaptive average pooling as ``P_h Z P_w^T``: ``(B, C', H, W) -> (B, C', s, s)``.

    ``transposed`` leaves the last two axes swapped and uses linear layers alone: a TFLite quantizer gives a constant left
    operand of a matrix product a scale that does not load.
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, height: int, width: int, size: int, dtype: torch.dtype, *, transposed: bool) -> None:
        super().__init__()
        self.transposed = transposed
        rows, columns = average_matrix(height, size, dtype), average_matrix(width, size, dtype)
        self.register_buffer("rows", rows)
        self.register_buffer("columns", columns if transposed else columns.T.contiguous())

    def forward(self, z: Tensor) -> Tensor:
        """The pooled maps."""
        if self.transposed:
            return F.linear(F.linear(z, self.columns).transpose(2, 3), self.rows)
        return self.rows @ (z @ self.columns)


class AverageRowsFirst(nn.Module):
    """Adaptive average pooling of every channel of a channels-last map: ``(B, C, H, W) -> (B, C, s_w, s_h)``.

    Rows are pooled while the map lies as it is, so that only the small result is transposed.
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, height: int, width: int, size: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("rows", average_matrix(height, size, dtype))
        self.register_buffer("columns", average_matrix(width, size, dtype))

    def forward(self, z: Tensor) -> Tensor:
        """The pooled maps, width before height."""
        batch, channels, height, width = z.shape
        last = z.permute(0, 2, 3, 1).reshape(batch, height, width * channels)
        tall = (self.rows @ last).reshape(batch, self.size, width, channels)
        return F.linear(tall.permute(0, 3, 1, 2), self.columns).transpose(2, 3)


class MaxCells(nn.Module):
    """Adaptive max pooling: ``(B, C', H, W) -> (B, C', s, s)``.

    Cells of one size are an ordinary max pooling. Uneven ones are gathered with some rows named twice, which a maximum
    does not notice, so that all cells have the same length; their maximum is taken along rows and columns, or with
    ``windows`` as a max pooling.
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, height: int, width: int, size: int, *, windows: bool = False) -> None:
        super().__init__()
        self.size, self.windows = size, windows
        self.window = (height // size, width // size) if height % size == 0 == width % size else None
        self.register_buffer("rows", _cell_indices(height, size))
        self.register_buffer("columns", _cell_indices(width, size))

    def forward(self, z: Tensor) -> Tensor:
        """The pooled maps."""
        if self.window:
            return F.max_pool2d(z, self.window, self.window)
        if self.windows:
            cells = z.index_select(2, self.rows).index_select(3, self.columns)
            step = (len(self.rows) // self.size, len(self.columns) // self.size)
            return F.max_pool2d(cells, step, step)
        tall = z.index_select(2, self.rows).unflatten(2, (self.size, -1)).amax(dim=3)
        return tall.index_select(3, self.columns).unflatten(3, (self.size, -1)).amax(dim=4)


def _cell_indices(length: int, size: int) -> Tensor:
    ranges = cells(length, size)
    longest = max(high - low for low, high in ranges)
    indices = [min(low + step, high - 1) for low, high in ranges for step in range(longest)]
    return torch.tensor(indices, dtype=torch.int64)
