"""What each layer of the PyTorch network computes for some images, in order of execution."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor, nn

from eamdeploy.networks.layers.blocks import ConvBnAct, SqueezeExcite
from eamdeploy.networks.program.network import ProgramNetwork
from eamdeploy.parity.run.reference import Array, Images, forward, hooked, one_by_one
from export.exporter.reference import attention_layers, convolution_outputs


@dataclass
class LayerTrace:
    """The tensors of one layer, flattened per image.

    Attributes:
        layer: module path; of a convolution with its batch norm and activation, the convolution's.
        alpha: mixing weights, (n, k), or ``None`` for a static layer.
        forms: the layer's output at every point where a graph may show it (behind the batch norm, behind the
            activation), each (n, elements) with channels first.
        channels: of those outputs, (C, positions), or ``None`` for vectors.
    """

    layer: str
    alpha: Array | None = None
    forms: list[Array] = field(default_factory=list)
    channels: tuple[int, int] | None = None


def trace(network: nn.Module, images: Images) -> dict[str, LayerTrace]:
    """Run ``images`` and keep each layer's tensors; layer path to trace, in order of execution."""
    if one_by_one(network) and len(images) > 1:
        return _joined([trace(network, images[index : index + 1]) for index in range(len(images))])
    traces: dict[str, LayerTrace] = {}

    def entry(layer: str) -> LayerTrace:
        return traces.setdefault(layer, LayerTrace(layer))

    def note_alpha(layer: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            del module, inputs
            entry(layer).alpha = output.double().numpy()

        return hook

    def note_form(layer: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            del module, inputs
            entry_trace = entry(layer)
            entry_trace.forms.append(output.flatten(1).double().numpy())
            if output.ndim == 4:
                entry_trace.channels = (int(output.shape[1]), int(output.shape[2] * output.shape[3]))

        return hook

    with contextlib.ExitStack() as stack:
        for path, module in network.named_modules():
            if isinstance(module, ConvBnAct):
                for part in ("bn", "act"):
                    hook = note_form(f"{path}.conv" if path else "conv")
                    stack.enter_context(hooked(module.get_submodule(part).register_forward_hook(hook)))
            elif isinstance(module, SqueezeExcite) or (isinstance(module, nn.Linear) and not _inside(path)):
                stack.enter_context(hooked(module.register_forward_hook(note_form(path))))
        for layer, attention in attention_layers(network).items():
            stack.enter_context(hooked(attention.register_forward_hook(note_alpha(layer))))
        if isinstance(network, ProgramNetwork):
            for layer, parts in convolution_outputs(network).items():
                for part in parts:
                    hook = note_form(layer)
                    stack.enter_context(hooked(network.get_submodule(part).register_forward_hook(hook)))
        forward(network, images)
    return traces


def _joined(parts: list[dict[str, LayerTrace]]) -> dict[str, LayerTrace]:
    """The traces of single images as one."""
    joined = {}
    for layer, first in parts[0].items():
        traces = [part[layer] for part in parts]
        alphas = [trace.alpha for trace in traces if trace.alpha is not None]
        forms = [np.concatenate(group) for group in zip(*(trace.forms for trace in traces), strict=True)]
        joined[layer] = LayerTrace(layer, np.concatenate(alphas) if alphas else None, forms, first.channels)
    return joined


def _inside(path: str) -> bool:
    """Whether a linear layer belongs to an attention or a gate, which are compared as a whole."""
    return ".attention." in path or ".gate." in path
