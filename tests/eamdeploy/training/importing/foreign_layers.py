"""Dynamic convolutions as other people write them: the forms of the most copied layers, re-implemented for tests."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _folded(
    x: Tensor, kernels: Tensor, stride: int, padding: int, groups: int, *, bias: Tensor | None = None
) -> Tensor:
    batch, _, height, width = x.shape
    kernels = kernels.reshape(-1, *kernels.shape[-3:])
    y = F.conv2d(x.reshape(1, -1, height, width), kernels, bias, stride, padding, 1, groups * batch)
    return y.view(batch, -1, y.shape[-2], y.shape[-1])


class SoftmaxAttention(nn.Module):
    """Pool, two 1x1 convolutions, softmax under a temperature that no state dict holds."""

    def __init__(self, channels: int, kernels: int) -> None:
        super().__init__()
        hidden = channels // 4 + 1
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, hidden, 1, bias=False)
        self.fc2 = nn.Conv2d(hidden, kernels, 1)
        self.temperature = 34

    def forward(self, x: Tensor) -> Tensor:
        scores = self.fc2(F.relu(self.fc1(self.pool(x)))).view(x.size(0), -1)
        return F.softmax(scores / self.temperature, 1)


class PlainDynamicConv2d(nn.Module):
    """Attention inside the layer, ``mm`` with a bank, biases mixed as well."""

    def __init__(self, i: int, o: int, k: int, *, stride: int = 1, groups: int = 1, bias: bool = True) -> None:
        super().__init__()
        self.attention = SoftmaxAttention(i, 4)
        self.weight = nn.Parameter(torch.randn(4, o, i // groups, k, k) * 0.2)
        self.bias = nn.Parameter(torch.randn(4, o)) if bias else None
        self.stride, self.groups = stride, groups

    def forward(self, x: Tensor) -> Tensor:
        alpha = self.attention(x)
        shape = self.weight.shape
        kernels = torch.mm(alpha, self.weight.view(4, -1)).view(-1, *shape[2:])
        bias = None if self.bias is None else torch.mm(alpha, self.bias).view(-1)
        return _folded(x, kernels, self.stride, shape[-1] // 2, self.groups, bias=bias)


class OmniDimensionalConv2d(nn.Module):
    """Four attentions: kernels by softmax, gates on taps, input and output channels by sigmoid."""

    def __init__(self, i: int, o: int, k: int, *, stride: int = 1, groups: int = 1, kernels: int = 4) -> None:
        super().__init__()
        self.fc, self.bn = nn.Conv2d(i, 8, 1, bias=False), nn.BatchNorm2d(8)
        self.channel_fc, self.filter_fc = nn.Conv2d(8, i, 1), nn.Conv2d(8, o, 1)
        self.spatial_fc = nn.Conv2d(8, k * k, 1) if k > 1 else None
        self.kernel_fc = nn.Conv2d(8, kernels, 1) if kernels > 1 else None
        self.weight = nn.Parameter(torch.randn(kernels, o, i // groups, k, k) * 0.2)
        self.k, self.stride, self.groups, self.temperature = k, stride, groups, 1.0

    def forward(self, x: Tensor) -> Tensor:
        batch = x.size(0)
        z = F.relu(self.bn(self.fc(F.adaptive_avg_pool2d(x, 1))), inplace=True)
        channel = torch.sigmoid(self.channel_fc(z).view(batch, -1, 1, 1) / self.temperature)
        filters = torch.sigmoid(self.filter_fc(z).view(batch, -1, 1, 1) / self.temperature)
        spatial = kernel = torch.ones(1)
        if self.spatial_fc is not None:
            spatial = torch.sigmoid(self.spatial_fc(z).view(batch, 1, 1, 1, self.k, self.k) / self.temperature)
        if self.kernel_fc is not None:
            kernel = F.softmax(self.kernel_fc(z).view(batch, -1, 1, 1, 1, 1) / self.temperature, dim=1)
        kernels = (spatial * kernel * self.weight.unsqueeze(0)).expand(batch, -1, -1, -1, -1, -1).sum(dim=1)
        return _folded(x * channel, kernels, self.stride, self.k // 2, self.groups) * filters


class ContextConv2d(nn.Module):
    """Attention from a context vector of the block, in groups of the bank."""

    def __init__(self, i: int, o: int, k: int, context: int, *, groups: int = 1, parts: int = 1) -> None:
        super().__init__()
        self.residuals = nn.Linear(context, 4 * parts)
        self.weight = nn.Parameter(torch.randn(1, parts, 4, o * i // groups * k * k // parts) * 0.2)
        self.shape, self.groups, self.parts, self.t = (o, i // groups, k, k), groups, parts, 30.0

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        alpha = F.softmax(self.residuals(context).view(x.size(0), self.parts, 1, -1) / self.t, dim=-1)
        kernels = torch.matmul(alpha, self.weight).transpose(1, 2).reshape(-1, *self.shape)
        return _folded(x, kernels, 1, self.shape[-1] // 2, self.groups)


class Warehouse(nn.Module):
    """Cells that several layers build their kernels from."""

    def __init__(self, cells: int, size: int, k: int) -> None:
        super().__init__()
        self.cells = nn.Parameter(torch.randn(cells, size, size, k, k) * 0.2)


class WarehouseConv2d(nn.Module):
    """Signed attention over the cells of a shared warehouse; the kernel is put together from blocks."""

    def __init__(self, warehouse: Warehouse, i: int, o: int, k: int, stride: int = 1) -> None:
        super().__init__()
        self.warehouse = [warehouse]  # not a child: the network holds it
        cells, size = warehouse.cells.shape[:2]
        self.blocks = (o // size, i // size)
        self.fc1, self.norm1 = nn.Linear(i, 4), nn.BatchNorm1d(4)
        self.fc2 = nn.Linear(4, self.blocks[0] * self.blocks[1] * cells)
        self.bias = nn.Parameter(torch.randn(o))
        self.k, self.stride = k, stride

    def forward(self, x: Tensor) -> Tensor:
        cells = self.warehouse[0].cells
        count, size = cells.shape[:2]
        z = self.fc2(F.relu(self.norm1(self.fc1(x.mean((2, 3)))))).reshape(-1, count)
        alpha = z / (z.abs().sum(dim=1, keepdim=True) + 1e-3)
        parts = torch.mm(alpha, cells.reshape(count, -1)).reshape(x.size(0), *self.blocks, size, size, self.k, self.k)
        kernels = parts.permute(0, 1, 3, 2, 4, 5, 6)
        kernels = kernels.reshape(-1, self.blocks[1] * size, self.k, self.k)
        return _folded(x, kernels, self.stride, self.k // 2, 1) + self.bias.view(1, -1, 1, 1)


class FrequencyConv2d(nn.Module):
    """Attention per row of the map (sound events): outputs are mixed, kernels are not."""

    def __init__(self, i: int, o: int, k: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, o, i, k, k) * 0.2)
        self.conv1, self.bn, self.conv2 = (
            nn.Conv1d(i, 4, 3, padding=1, bias=False),
            nn.BatchNorm1d(4),
            nn.Conv1d(4, 4, 1),
        )
        self.temperature = 31

    def forward(self, x: Tensor) -> Tensor:
        alpha = F.softmax(self.conv2(F.relu(self.bn(self.conv1(x.mean(3))))) / self.temperature, 1)
        y = F.conv2d(x, self.weight.flatten(0, 1), padding=self.weight.shape[-1] // 2)
        y = y.view(x.size(0), 4, -1, y.size(-2), y.size(-1))
        return torch.sum(y * alpha[:, :, None, :, None], dim=1)


class HyperConv2d(nn.Module):
    """A linear layer gives the kernel outright: there is no bank."""

    def __init__(self, i: int, o: int, k: int) -> None:
        super().__init__()
        self.generator, self.shape = nn.Linear(i, o * i * k * k), (o, i, k, k)

    def forward(self, x: Tensor) -> Tensor:
        return _folded(x, 0.1 * self.generator(x.mean((2, 3))).view(-1, *self.shape), 1, self.shape[-1] // 2, 1)


class LoopedConv2d(nn.Module):
    """Goes through the images in a Python loop, and through the bank in another."""

    def __init__(self, i: int, o: int, k: int) -> None:
        super().__init__()
        self.weight, self.fc = nn.Parameter(torch.randn(4, o, i, k, k) * 0.2), nn.Linear(i, 4)

    def forward(self, x: Tensor) -> Tensor:
        alpha = torch.sigmoid(self.fc(x.mean((2, 3))))
        outputs = []
        for image in range(x.shape[0]):
            kernel = sum(alpha[image, index] * self.weight[index] for index in range(4))
            outputs.append(F.conv2d(x[image : image + 1], kernel, padding=self.weight.shape[-1] // 2))
        return torch.cat(outputs)


class ModulatedConv2d(nn.Module):
    """One kernel, scaled by a style and normalised again (StyleGAN2)."""

    def __init__(self, i: int, o: int, k: int) -> None:
        super().__init__()
        self.weight, self.style = nn.Parameter(torch.randn(1, o, i, k, k) * 0.1), nn.Linear(i, i)

    def forward(self, x: Tensor) -> Tensor:
        kernels = self.weight * self.style(x.mean((2, 3))).view(x.size(0), 1, -1, 1, 1)
        kernels = kernels * torch.rsqrt(kernels.pow(2).sum([2, 3, 4]) + 1e-8)[:, :, None, None, None]
        return _folded(x, kernels, 1, self.weight.shape[-1] // 2, 1)


class AddedConv2d(nn.Module):
    """A static kernel plus a mixed one, by ``einsum``; a static bias repeated for the folded batch."""

    def __init__(self, i: int, o: int, k: int, groups: int = 1) -> None:
        super().__init__()
        self.bank = nn.Parameter(torch.randn(4, o, i // groups, k, k) * 0.2)
        self.static, self.bias = nn.Parameter(torch.randn(o, i // groups, k, k) * 0.2), nn.Parameter(torch.randn(o))
        self.route, self.groups = nn.Linear(i, 4), groups

    def forward(self, x: Tensor) -> Tensor:
        alpha = self.route(x.mean((2, 3))).softmax(-1)
        kernels = self.static + torch.einsum("bk,koihw->boihw", alpha, self.bank)
        return _folded(x, kernels, 1, self.bank.shape[-1] // 2, self.groups, bias=self.bias.repeat(x.size(0)))


class SharedRouting(nn.Module):
    """A block whose one routing serves three layers (CondConv in inverted residuals): sigmoids, flat banks."""

    def __init__(self, channels: int, wide: int) -> None:
        super().__init__()
        self.routing = nn.Linear(channels, 4)
        self.expand = nn.Parameter(torch.randn(4, wide * channels) * 0.1)
        self.depthwise = nn.Parameter(torch.randn(4, wide * 9) * 0.1)
        self.project = nn.Parameter(torch.randn(4, channels * wide) * 0.1)
        self.wide = wide

    def forward(self, x: Tensor) -> Tensor:
        alpha = torch.sigmoid(self.routing(x.mean((2, 3))))
        channels = x.shape[1]
        y = F.silu(_folded(x, torch.matmul(alpha, self.expand).view(-1, channels, 1, 1), 1, 0, 1))
        y = F.silu(_folded(y, torch.matmul(alpha, self.depthwise).view(-1, 1, 3, 3), 1, 1, self.wide))
        return x + _folded(y, torch.matmul(alpha, self.project).view(-1, self.wide, 1, 1), 1, 0, 1)


class ForeignNetwork(nn.Module):
    """A stem, a body under test, a classifier."""

    def __init__(self, body: nn.Module, channels: int, classes: int = 10) -> None:
        super().__init__()
        self.stem, self.bn1 = nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16)
        self.body, self.bn2, self.head = body, nn.BatchNorm2d(channels), nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.stem(x)))
        x = F.relu(self.bn2(self.body(x)), inplace=True)
        return self.head(x.mean((2, 3)))


class ContextBody(nn.Module):
    """Two layers under one context."""

    def __init__(self) -> None:
        super().__init__()
        self.context = nn.Linear(16, 12)
        self.first, self.second = ContextConv2d(16, 24, 1, 12), ContextConv2d(24, 24, 3, 12, groups=24, parts=2)

    def forward(self, x: Tensor) -> Tensor:
        context = F.hardswish(self.context(x.mean((2, 3))))
        return self.second(F.relu(self.first(x, context)), context)


class WarehouseBody(nn.Module):
    """Two layers out of one warehouse."""

    def __init__(self) -> None:
        super().__init__()
        self.warehouse = Warehouse(6, 8, 3)
        self.first, self.second = (
            WarehouseConv2d(self.warehouse, 16, 16, 3),
            WarehouseConv2d(self.warehouse, 16, 32, 3, 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.second(F.relu(self.first(x)))


BODIES = {
    "plain-full": lambda: (PlainDynamicConv2d(16, 24, 3, stride=2), 24),
    "plain-pointwise": lambda: (PlainDynamicConv2d(16, 24, 1, bias=False), 24),
    "plain-depthwise": lambda: (PlainDynamicConv2d(16, 16, 5, groups=16), 16),
    "plain-grouped": lambda: (PlainDynamicConv2d(16, 32, 3, groups=4, bias=False), 32),
    "omni-full": lambda: (OmniDimensionalConv2d(16, 24, 3, stride=2), 24),
    "omni-pointwise": lambda: (OmniDimensionalConv2d(16, 24, 1), 24),
    "omni-depthwise": lambda: (OmniDimensionalConv2d(16, 16, 3, groups=16), 16),
    "omni-one-kernel": lambda: (OmniDimensionalConv2d(16, 24, 3, kernels=1), 24),
    "omni-one-pointwise": lambda: (OmniDimensionalConv2d(16, 24, 1, kernels=1), 24),
    "context": lambda: (ContextBody(), 24),
    "warehouse": lambda: (WarehouseBody(), 32),
    "frequency": lambda: (FrequencyConv2d(16, 24, 3), 24),
    "hyper": lambda: (HyperConv2d(16, 8, 3), 8),
    "looped": lambda: (LoopedConv2d(16, 24, 3), 24),
    "modulated": lambda: (ModulatedConv2d(16, 24, 3), 24),
    "added": lambda: (AddedConv2d(16, 24, 3, groups=4), 24),
    "shared": lambda: (SharedRouting(16, 32), 16),
}


def foreign_network(name: str) -> ForeignNetwork:
    """The network around ``BODIES[name]``, with batch norms that have seen something."""
    torch.manual_seed(0)
    network = ForeignNetwork(*BODIES[name]())
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
    return network.eval()
