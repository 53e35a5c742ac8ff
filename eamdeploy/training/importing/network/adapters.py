"""Layers whose Python code a graph cannot hold, replaced before tracing: the registry ``eamdeploy.layer_adapters``.

Most layers need none: the graph says how their kernels are mixed. An adapter is for the rest, such as a layer that calls
compiled code or loops over the images. Whatever it answers is proven against the original network.
"""

from __future__ import annotations

import copy
from importlib.metadata import entry_points
from typing import Protocol

from torch import nn

ENTRY_POINT_GROUP = "eamdeploy.layer_adapters"


class LayerAdapter(Protocol):
    """Makes a traceable layer out of one that is not."""

    @property
    def name(self) -> str:
        """What messages call it."""

    def adapt(self, layer: nn.Module) -> nn.Module | None:
        """A layer that computes the same in plain PyTorch, with the same weights; ``None`` for a layer of another kind."""


def layer_adapters() -> tuple[LayerAdapter, ...]:
    """Those that installed packages publish, in the order of their names."""
    found = sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name)
    return tuple(point.load()() for point in found)


def apply_adapters(module: nn.Module, adapters: tuple[LayerAdapter, ...] | None = None) -> tuple[nn.Module, list[str]]:
    """A copy of ``module`` with the adapted layers in place, and what was adapted: ``path (adapter)``."""
    known = layer_adapters() if adapters is None else adapters
    if not known:
        return module, []
    adapted, notes = copy.deepcopy(module), []
    for path, layer in list(adapted.named_modules()):
        for adapter in known:
            made = adapter.adapt(layer)
            if made is None:
                continue
            if path:
                adapted.set_submodule(path, made)
            else:
                adapted = made
            notes.append(f"{path or 'the network'} ({adapter.name})")
            break
    return adapted.eval(), notes
