"""Layers whose Python code a graph cannot hold, replaced before tracing: the registry ``eamdeploy.layer_adapters``.

Most layers need none: the graph says how their kernels are mixed. An adapter is for the rest, such as a layer that calls
compiled code or loops over the images. Whatever it answers is proven against the original network.
"""

from __future__ import annotations

import copy
from importlib.metadata import entry_points
from typing import Protocol

from torch import Tensor, nn

from eamdeploy.networks.layers.mixed_conv import MixedConv2d
from eamdeploy.networks.layers.mixed_gate import gated_conv
from eamdeploy.networks.layers.mixing import grouped
from eamdeploy.training.importing.network.tracing.borrowing import copied

ENTRY_POINT_GROUP = "eamdeploy.layer_adapters"


class LayerAdapter(Protocol):
    """Makes a traceable layer out of one that is not."""

    @property
    def name(self) -> str:
        """What messages call it."""

    def adapt(self, layer: nn.Module) -> nn.Module | None:
        """A layer that computes the same in plain PyTorch, with the same weights; ``None`` for a layer of another kind."""


class OwnLayers:
    """This project's own layers: of their equal forms they choose the fastest, and here the one that a graph shows."""

    name = "eamdeploy"

    def adapt(self, layer: nn.Module) -> nn.Module | None:
        """The layer, convolving with the batch folded into groups."""
        if not isinstance(layer, MixedConv2d) or isinstance(layer, _Folded):
            return None
        mixed_layer = copy.copy(layer)
        mixed_layer.__class__ = type(f"Folded{type(layer).__name__}", (_Folded, type(layer)), {})
        return mixed_layer


class _Folded(MixedConv2d):
    """A mixed convolution in its textbook form."""

    def mix(self, x: Tensor, alpha: Tensor, taps: Tensor | None = None) -> Tensor:
        """The convolution under given weights."""
        bank, geometry = self.bank, self.geometry
        y = grouped(x, alpha, bank, geometry) if taps is None else gated_conv(x, alpha, taps, bank, geometry)
        if self.bias is not None:
            y = y + (alpha @ self.bias)[:, :, None, None]
        return y if self.shift is None else y + self.shift[:, None, None]


def layer_adapters() -> tuple[LayerAdapter, ...]:
    """This project's own, and those that installed packages publish, in the order of their names."""
    entries = sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name)
    return (OwnLayers(), *(point.load()() for point in entries))


def apply_adapters(module: nn.Module, adapters: tuple[LayerAdapter, ...] | None = None) -> tuple[nn.Module, list[str]]:
    """A copy of ``module`` with the adapted layers in place, and what was adapted: ``path (adapter)``.

    Where there is nothing to adapt it is ``module`` itself.
    """
    known_adapters = layer_adapters() if adapters is None else adapters
    layers = [layer for _, layer in module.named_modules()]
    if all(adapter.adapt(layer) is None for layer in layers for adapter in known_adapters):
        return module, []
    adapted, notes = copied(module), []
    for path, layer in list(adapted.named_modules()):
        for adapter in known_adapters:
            replacement = adapter.adapt(layer)
            if replacement is None:
                continue
            if path:
                adapted.set_submodule(path, replacement)
            else:
                adapted = replacement
            if not isinstance(adapter, OwnLayers):
                notes.append(f"{path or 'the network'} ({adapter.name})")
            break
    return adapted.eval(), notes
