"""One idea in many spellings: dynamic convolutions as people write them who copied nobody."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _bank(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(*shape) * 0.1)


def _each(x: Tensor, kernels: Tensor, **geometry: Any) -> Tensor:
    """Every image with a kernel of its own."""
    images, channels, height, width = x.shape
    y = F.conv2d(x.reshape(1, -1, height, width), kernels, **geometry, groups=images * channels // kernels.shape[1])
    return y.view(images, -1, *y.shape[2:])


class UnfoldConv2d(nn.Module):
    """Patches by ``unfold``, and one product of matrices for each image."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.fc, self.bank = nn.Linear(i, 4), _bank(4, o, i * 9)

    def forward(self, x: Tensor) -> Tensor:
        kernels = torch.einsum("bn,nop->bop", torch.softmax(self.fc(x.mean((2, 3))), -1), self.bank)
        y = torch.bmm(kernels, F.unfold(x, 3, padding=1, stride=2))
        return y.view(x.shape[0], -1, x.shape[2] // 2, x.shape[3] // 2)


class ConvListConv2d(nn.Module):
    """Convolutions in a list whose weights ``F.linear`` mixes: 1x5, two groups, biases, sigmoids."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(i, o, (1, 5), groups=2) for _ in range(3))
        self.fc = nn.Linear(i, 3)

    def forward(self, x: Tensor) -> Tensor:
        alpha = torch.sigmoid(self.fc(x.mean((2, 3))))
        bank = torch.stack([conv.get_parameter("weight") for conv in self.convs], -1)
        biases = torch.stack([conv.get_parameter("bias") for conv in self.convs], -1)
        kernels = F.linear(alpha, bank.reshape(-1, 3)).view(-1, *bank.shape[1:-1])
        return _each(x, kernels, bias=F.linear(alpha, biases).flatten(), padding=(0, 2))


class KernelListConv2d(nn.Module):
    """Kernels in a list, depthwise and dilated; the temperature is a buffer."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.kernels = nn.ParameterList([_bank(o, 1, 3, 3) for _ in range(4)])
        self.attention = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(i, 4, 1), nn.Flatten())
        self.register_buffer("tau", torch.tensor(3.7))

    def forward(self, x: Tensor) -> Tensor:
        alpha = F.softmax(self.attention(x) / self.tau, dim=-1)[:, :, None, None, None, None]
        kernels = (alpha * torch.stack(tuple(self.kernels))[None]).sum(1)
        return _each(x, kernels.flatten(0, 1), padding=2, dilation=2)


class LerpConv2d(nn.Module):
    """Two kernels, and a score that says where between them."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.first, self.last, self.fc = _bank(o, i, 3, 3), _bank(o, i, 3, 3), nn.Linear(i, 1)

    def forward(self, x: Tensor) -> Tensor:
        share = torch.sigmoid(self.fc(x.mean((2, 3)))).view(-1, 1, 1, 1, 1)
        return _each(x, torch.lerp(self.first[None], self.last[None], share).flatten(0, 1), padding=1)


class BatchProductConv2d(nn.Module):
    """A static kernel and a mixed one by ``baddbmm``; the softmax is over the last of three axes."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.static, self.bank, self.fc = _bank(o * i * 9), _bank(4, o * i * 9), nn.Conv2d(i, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        alpha = self.fc(F.adaptive_avg_pool2d(x, 1)).squeeze(-1).permute(0, 2, 1).softmax(2)
        static = self.static.view(1, 1, -1).expand(len(x), 1, -1)
        kernels = torch.baddbmm(static, alpha, self.bank[None].expand(len(x), -1, -1))
        return _each(x, kernels.reshape(-1, x.shape[1], 3, 3), padding=1)


class ZipConv2d(nn.Module):
    """Images and kernels in a loop; the bank is normalised whatever the image."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.bank, self.fc = _bank(4, o, i, 3, 3), nn.Linear(i, 4)

    def forward(self, x: Tensor) -> Tensor:
        bank = F.normalize(self.bank.flatten(1), dim=1).view_as(self.bank)
        kernels = torch.tensordot(F.softmax(self.fc(x.mean((2, 3))), 1), bank, ([1], [0]))
        maps = [F.conv2d(image[None], kernel, None, (2, 1), 1) for image, kernel in zip(x, kernels, strict=True)]
        return torch.cat(maps)


class PartsConv2d(nn.Module):
    """Channels in two parts, each with an attention and a bank of its own."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.banks = nn.ParameterList([_bank(3, o // 2, i // 2, 3, 3) for _ in range(2)])
        self.fcs = nn.ModuleList(nn.Linear(i // 2, 3) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        maps = []
        for part, bank, fc in zip(x.chunk(2, 1), self.banks, self.fcs, strict=True):
            kernels = torch.tensordot(fc(part.mean((2, 3))).softmax(1), bank, dims=1)
            maps.append(_each(part, kernels.flatten(0, 1), padding=1))
        return torch.cat(maps, 1)


class PoolsConv2d(nn.Module):
    """Attention by the largest and the mean; hard sigmoids mix two kernels and scale the outputs inside the kernel."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.bank, self.fc, self.gate = _bank(2, o, i, 3, 3), nn.Linear(2 * i, 2), nn.Linear(2 * i, o)

    def forward(self, x: Tensor) -> Tensor:
        z = torch.cat([x.amax((2, 3)), x.mean((2, 3))], 1)
        kernels = (F.hardsigmoid(self.fc(z)).view(-1, 2, 1, 1, 1, 1) * self.bank).sum(1)
        kernels = kernels * F.hardsigmoid(self.gate(z)).view(len(x), -1, 1, 1, 1)
        return _each(x, kernels.flatten(0, 1), stride=2, padding=1)


class PickConv2d(nn.Module):
    """One kernel of the bank, by the largest score."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.bank, self.fc = _bank(4, o, i, 3, 3), nn.Linear(i, 4)

    def forward(self, x: Tensor) -> Tensor:
        return _each(x, self.bank[self.fc(x.mean((2, 3))).argmax(1)].flatten(0, 1), padding=1)


class UpConv2d(nn.Module):
    """A transposed convolution with a mixed kernel."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.bank, self.fc = _bank(4, i, o, 2, 2), nn.Linear(i, 4)

    def forward(self, x: Tensor) -> Tensor:
        images, channels, height, width = x.shape
        kernels = torch.einsum("bn,nioxy->bioxy", self.fc(x.mean((2, 3))).softmax(1), self.bank)
        folded = x.reshape(1, images * channels, height, width)
        y = F.conv_transpose2d(folded, kernels.flatten(0, 1), stride=2, groups=images)
        return y.view(images, -1, 2 * height, 2 * width)


class ChannelsFirstConv2d(nn.Module):
    """The mistake: channels come before images when the batch is folded, so that images meet."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.bank, self.fc = _bank(4, o, i, 3, 3), nn.Linear(i, 4)

    def forward(self, x: Tensor) -> Tensor:
        images, channels, height, width = x.shape
        kernels = torch.einsum("bn,noixy->boixy", self.fc(x.mean((2, 3))).softmax(1), self.bank).flatten(0, 1)
        folded = x.transpose(0, 1).reshape(1, images * channels, height, width)
        return F.conv2d(folded, kernels, padding=1, groups=images).view(images, -1, height, width)


class AudioNetwork(nn.Module):
    """Rows of one channel; one attention, computed from the input, serves two layers: depthwise dilated and pointwise."""

    def __init__(self) -> None:
        super().__init__()
        self.context, self.fc = nn.Conv1d(1, 8, 9, 4), nn.Linear(8, 3)
        self.stem, self.head = nn.Conv1d(1, 12, 7, 2, 3), nn.Linear(20, 5)
        self.first, self.last, self.bias = _bank(3, 12 * 5), _bank(3, 20 * 12), _bank(3, 20)

    def forward(self, x: Tensor) -> Tensor:
        alpha = F.softmax(self.fc(self.context(x).relu().mean(-1)) / 5, -1)
        y, images = F.relu(self.stem(x)), len(x)
        y = F.conv1d(
            y.view(1, images * 12, -1), (alpha @ self.first).view(-1, 1, 5), None, 1, 4, dilation=2, groups=images * 12
        )
        kernels, bias = (alpha @ self.last).view(-1, 12, 1), (alpha @ self.bias).view(-1)
        scores: Tensor = self.head(F.conv1d(y.relu(), kernels, bias, groups=images).view(images, 20, -1).amax(-1))
        return scores


# by layer: what it takes, and form, bank and bound of what is found
SPELLINGS: dict[type[nn.Module], list[Any]] = {
    UnfoldConv2d: [],
    ConvListConv2d: [("mixed", (3, 16, 8, 1, 5), 3.0)],
    KernelListConv2d: [("mixed", (4, 16, 1, 3, 3), 1.0)],
    LerpConv2d: [("mixed", (1, 16, 16, 3, 3), 2.0)],
    BatchProductConv2d: [("mixed", (4, 16, 16, 3, 3), 2.0)],
    ZipConv2d: [("mixed", (4, 16, 16, 3, 3), 1.0)],
    PartsConv2d: [("mixed", (3, 8, 8, 3, 3), 1.0), ("mixed", (3, 8, 8, 3, 3), 1.0)],
    PoolsConv2d: [("mixed", (2, 16, 16, 3, 3), 2.0)],
    PickConv2d: [("computed", (16, 16, 3, 3), None)],
    UpConv2d: [],
}
