"""The attention that mixes a bank of kernels: alpha(x), one weight per kernel and image.

EAM-DyNet: Ding et al. 2021 (section 3.3, equations 8 to 17). DyNet, the baseline: global average pooling over all channels
and a hidden width of C / 4 (Chen et al. 2020, arXiv 1912.03458; Zhang et al. 2020, arXiv 2004.10694).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eamdeploy.networks.layers.pooling import adaptive_pool
from eamdeploy.networks.layers.selection import make_selection
from eamdeploy.networks.spec import ArchSpec

EAM_HIDDEN = 10


class Attention(nn.Module):
    """``x: (B, C, H, W) -> alpha: (B, k)``, each row convex: ``softmax(fc2(relu(fc1(pool(select(x))))) / tau)``.

    Attributes:
        selection: chooses C' channels, or ``None`` for all.
        pool: ``avg`` or ``max``.
        pool_size: side s of the pooled map.
        fc1: ``Linear(C' s s, hidden)``.
        fc2: ``Linear(hidden, k)``.
        temperature: tau.
    """

    def __init__(
        self,
        channels: int,
        kernels: int,
        *,
        selection: nn.Module | None,
        selected: int,
        hidden: int,
        pool: str,
        pool_size: int,
        temperature: float,
    ) -> None:
        super().__init__()
        self.channels, self.selected = channels, selected
        self.selection = selection
        self.pool, self.pool_size, self.temperature = pool, pool_size, temperature
        self.fc1 = nn.Linear(selected * pool_size * pool_size, hidden)
        self.fc2 = nn.Linear(hidden, kernels)

    def features(self, x: Tensor) -> Tensor:
        """What the first linear layer sees: ``(B, C' s s)``."""
        features = x if self.selection is None else self.selection(x)
        return adaptive_pool(features, self.pool_size, self.pool).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """The mixing weights of each image."""
        scores = self.fc2(F.relu(self.fc1(self.features(x))))
        return torch.softmax(scores / self.temperature, dim=1)


def make_attention(spec: ArchSpec, channels: int, generator: torch.Generator) -> Attention:
    """The attention of a layer with ``channels`` input channels, as ``spec`` asks (``dynet`` or ``eam``)."""
    if spec.conv == "dynet":
        return Attention(
            channels,
            spec.kernels,
            selection=None,
            selected=channels,
            hidden=max(1, channels // 4),
            pool="avg",
            pool_size=1,
            temperature=spec.temperature,
        )
    selected = spec.chosen_channels(channels)
    # a layer with no more channels than are asked for uses all of them, in order, whatever the selection
    selection = None if selected == channels else make_selection(spec.select, channels, selected, generator)
    return Attention(
        channels,
        spec.kernels,
        selection=selection,
        selected=selected,
        hidden=EAM_HIDDEN,
        pool=spec.pool,
        pool_size=spec.pool_size,
        temperature=spec.temperature,
    )
