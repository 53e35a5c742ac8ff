"""More layers as strangers write them: attentions of every kind, official-like warehouses, ``vmap``, products of matrices."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _guarded(z: Tensor) -> Tensor:
    positive = F.relu(z)
    return positive / (positive.sum(1, keepdim=True) + 1e-6)


def _two_best(z: Tensor) -> Tensor:
    values, places = z.topk(2, 1)
    return torch.zeros_like(z).scatter(1, places, values.softmax(1))


# by name: from scores (B, 4) to mixing weights
ATTENTIONS = {
    "two-best": _two_best,
    "hard": lambda z: F.one_hot(z.argmax(1), z.shape[1]).to(z.dtype),
    "relu-guarded": _guarded,
    "l1-normalised": lambda z: F.normalize(z, p=1, dim=1),
    "l2-normalised": lambda z: F.normalize(z, dim=1),
    "tanh": torch.tanh,
    "one-plus-tanh": lambda z: 1 + 0.1 * torch.tanh(z),
    "clamped": lambda z: torch.clamp(0.2 * z + 0.5, 0, 1),
    "six": F.relu6,
    "exponentials": lambda z: z.exp() / z.exp().sum(1, keepdim=True),
    "log-softmax": lambda z: F.log_softmax(z, 1).exp(),
    "sigmoids-summed": lambda z: torch.sigmoid(z) / torch.sigmoid(z).sum(1, keepdim=True),
}


class AttendedConv2d(nn.Module):
    """A bank under ``ATTENTIONS[kind]``, biases mixed as well."""

    def __init__(self, i: int, o: int, kind: str) -> None:
        super().__init__()
        self.fc, self.kind = nn.Linear(i, 4), kind
        self.bank, self.bias = nn.Parameter(torch.randn(4, o, i, 3, 3) * 0.1), nn.Parameter(torch.randn(4, o) * 0.1)

    def forward(self, x: Tensor) -> Tensor:
        alpha = ATTENTIONS[self.kind](self.fc(x.mean((2, 3))))
        batch, channels, height, width = x.shape
        kernels = torch.matmul(alpha, self.bank.flatten(1)).reshape(-1, channels, 3, 3)
        bias = torch.matmul(alpha, self.bias).reshape(-1)
        y = F.conv2d(x.reshape(1, -1, height, width), kernels, bias, padding=1, groups=batch)
        return y.reshape(batch, -1, height, width)


class OfficialWarehouseConv2d(nn.Module):
    """Signed weights of several mixtures, each normalised and moved towards a bias that has decayed to nothing."""

    def __init__(self, i: int, o: int, cell: int = 16) -> None:
        super().__init__()
        self.cells = nn.Parameter(torch.randn(4, cell, cell, 3, 3) * 0.1)
        self.blocks, self.temp_value = (o // cell, i // cell), 0
        self.fc1, self.norm = nn.Linear(i, 16, bias=False), nn.BatchNorm1d(16)
        self.fc2 = nn.Linear(16, 4 * self.blocks[0] * self.blocks[1])
        self.temp_bias = torch.zeros(self.blocks[0] * self.blocks[1], 4)
        self.temp_bias[:, 0] = 1

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.adaptive_avg_pool1d(x.reshape(*x.shape[:2], -1), 1).squeeze(dim=-1)
        z = self.fc2(F.relu(self.norm(self.fc1(pooled)))).reshape(-1, 4)
        z = z / (torch.sum(torch.abs(z), dim=1).view(-1, 1) + 1e-3)
        z = (1.0 - self.temp_value) * z + self.temp_value * self.temp_bias.repeat(x.shape[0], 1)
        kernels = torch.mm(z, self.cells.reshape(4, -1)).reshape(x.shape[0], *self.blocks, *self.cells.shape[1:])
        kernels = kernels.permute(0, 1, 3, 2, 4, 5, 6).reshape(-1, x.shape[1], 3, 3)
        y = F.conv2d(x.reshape(1, -1, *x.shape[2:]), kernels, padding=1, groups=x.shape[0])
        return y.reshape(x.shape[0], -1, *y.shape[2:])


class MappedConv2d(nn.Module):
    """``torch.func.vmap`` over images and their kernels."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.fc, self.bank = nn.Linear(i, 3), nn.Parameter(torch.randn(3, o, i, 3, 3) * 0.1)

    def forward(self, x: Tensor) -> Tensor:
        kernels = torch.tensordot(torch.sigmoid(self.fc(x.mean((2, 3)))), self.bank, dims=1)
        result: Tensor = torch.func.vmap(lambda a, b: F.conv2d(a[None], b, padding=1)[0])(x, kernels)
        return result


class DiagonalConv2d(nn.Module):
    """A static kernel plus factors around a computed diagonal."""

    def __init__(self, i: int, o: int, rank: int = 8) -> None:
        super().__init__()
        self.static, self.fc = nn.Parameter(torch.randn(o, i) * 0.1), nn.Linear(i, rank)
        self.up, self.down = nn.Parameter(torch.randn(o, rank) * 0.1), nn.Parameter(torch.randn(rank, i) * 0.1)

    def forward(self, x: Tensor) -> Tensor:
        diagonal = torch.diag_embed(torch.tanh(self.fc(x.mean((2, 3)))))
        kernels = self.static + self.up @ diagonal @ self.down
        y = F.conv2d(x.reshape(1, -1, *x.shape[2:]), kernels.view(-1, x.shape[1], 1, 1), groups=x.shape[0])
        return y.view(x.shape[0], -1, *y.shape[2:])


class StandardisedConv2d(nn.Module):
    """The mixed kernel is standardised again: it is no mixture any more."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.fc, self.bank = nn.Linear(i, 4), nn.Parameter(torch.randn(4, o, i, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        kernels = torch.einsum("bn,noikl->boikl", self.fc(x.mean((2, 3))).softmax(-1), self.bank)
        variance, mean = torch.var_mean(kernels, dim=(2, 3, 4), keepdim=True)
        kernels = (kernels - mean) / torch.sqrt(variance + 1e-5)
        y = F.conv2d(x.reshape(1, -1, *x.shape[2:]), kernels.flatten(0, 1), padding=1, groups=x.shape[0])
        return y.view(x.shape[0], -1, *y.shape[2:])


class Recurrent(nn.Module):
    """Rows of the map through a GRU, as sound events have it."""

    def __init__(self, i: int) -> None:
        super().__init__()
        self.rnn = nn.GRU(i, 4, bidirectional=True, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.rnn(x.mean(3).transpose(1, 2))
        return torch.clamp(y, 1e-7, 1).transpose(1, 2).unsqueeze(3)


BODIES = {
    "warehouse": lambda: (OfficialWarehouseConv2d(16, 32), 32),
    "vmap": lambda: (MappedConv2d(16, 24), 24),
    "diagonal": lambda: (DiagonalConv2d(16, 24), 24),
    "standardised": lambda: (StandardisedConv2d(16, 8), 8),
    "recurrent": lambda: (Recurrent(16), 8),
}
