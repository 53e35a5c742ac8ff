"""How a device is used in training: memory layout, fused optimizer, compilation. Results differ by rounding alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eamdeploy.base.errors import UsageError, did_you_mean

DEFAULT = "auto"
NAMES = (DEFAULT, "off", "on", "compile")


@dataclass(frozen=True)
class Acceleration:
    """What is switched on.

    Attributes:
        channels_last: images and constant kernels lie channel by channel per pixel. Only networks without dynamic layers gain:
            a kernel per image folds the batch into the channels, which needs whole maps.
        fused: the optimizer updates all parameters in one pass.
        compiled: the network runs through ``torch.compile``.
    """

    channels_last: bool = False
    fused: bool = False
    compiled: bool = False

    def prepare(self, network: nn.Module) -> nn.Module:
        """Lay out the parameters of ``network`` in place, and return what is to be trained: itself, or its compiled form."""
        if self.channels_last:
            for parameter in network.parameters():
                if parameter.ndim == 4:
                    parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        if not self.compiled:
            return network
        compiled: nn.Module = torch.compile(network)  # type: ignore[assignment]
        return compiled

    def images(self, batch: Tensor) -> Tensor:
        """A batch ``(B, C, H, W)`` in the layout the network is in."""
        return batch.contiguous(memory_format=torch.channels_last) if self.channels_last else batch


def make_acceleration(name: str, network: nn.Module, device: torch.device) -> Acceleration:
    """The acceleration called ``name`` for ``network`` on ``device``.

    Args:
        name: ``off``; ``on`` (layout and fused optimizer); ``compile`` (``on`` and ``torch.compile``); ``auto``: ``on`` on a
            GPU, ``off`` on a CPU, so that results on a CPU stay what they were.

    Raises:
        UsageError: for another name.
    """
    from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d

    if name not in NAMES:
        raise UsageError(f"unknown acceleration '{name}'", hint=did_you_mean(name, NAMES))
    if name == "off" or (name == DEFAULT and device.type == "cpu"):
        return Acceleration()
    static = not any(isinstance(module, AttentionConv2d) for module in network.modules())
    return Acceleration(channels_last=static, fused=True, compiled=name == "compile")
