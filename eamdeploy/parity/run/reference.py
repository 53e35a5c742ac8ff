"""Run the PyTorch network and note its outputs, its mixing weights, and how close CGR-max's choices were."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from eamdeploy.networks.layers.attention import Attention
from eamdeploy.networks.layers.selection import CgrMaxSelection
from eamdeploy.networks.program.network import ProgramNetwork
from export.exporter.reference import attention_layers

Array = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]


@dataclass
class ReferenceRun:
    """What the network did with some images.

    Attributes:
        output: scores, (n, classes).
        alphas: layer path to mixing weights (n, k), in order of execution.
        means: of layers that choose channels by CGR-max, the spatial means (n, C) they choose by, and the block bounds.
    """

    output: Array
    alphas: dict[str, Array] = field(default_factory=dict)
    means: dict[str, tuple[Array, tuple[int, ...]]] = field(default_factory=dict)

    def take(self, indices: npt.NDArray[np.int64]) -> ReferenceRun:
        """The same for some of the images."""
        alphas = {layer: values[indices] for layer, values in self.alphas.items()}
        means = {layer: (values[indices], bounds) for layer, (values, bounds) in self.means.items()}
        return ReferenceRun(self.output[indices], alphas, means)


def join_runs(runs: list[ReferenceRun]) -> ReferenceRun:
    """Several runs after one another as one."""
    first = runs[0]
    return ReferenceRun(
        np.concatenate([run.output for run in runs]),
        {layer: np.concatenate([run.alphas[layer] for run in runs]) for layer in first.alphas},
        {
            layer: (np.concatenate([run.means[layer][0] for run in runs]), bounds)
            for layer, (_, bounds) in first.means.items()
        },
    )


def run_reference(network: nn.Module, images: Images, *, batch: int = 8) -> ReferenceRun:
    """Run ``images`` (n, C, H, W) through a network in evaluation mode, in its own precision."""
    if one_by_one(network):
        batch = 1
    return join_runs([_run(network, images[start : start + batch]) for start in range(0, len(images), batch)])


def _run(network: nn.Module, images: Images) -> ReferenceRun:
    alphas: dict[str, Array] = {}
    means: dict[str, tuple[Array, tuple[int, ...]]] = {}

    def note_alpha(layer: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            del module, inputs
            alphas[layer] = output.double().numpy()

        return hook

    def note_means(layer: str, bounds: tuple[int, ...]) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            del module
            means[layer] = (inputs[0].mean(dim=(2, 3)).double().numpy(), bounds)

        return hook

    with contextlib.ExitStack() as stack:
        for path, module in network.named_modules():
            if isinstance(module, Attention) and isinstance(module.selection, CgrMaxSelection):
                hook = note_means(path.removesuffix(".attention"), tuple(module.selection.bounds))
                stack.enter_context(hooked(module.selection.register_forward_pre_hook(hook)))
        for layer, attention in attention_layers(network).items():
            stack.enter_context(hooked(attention.register_forward_hook(note_alpha(layer))))
        output = forward(network, images)
    return ReferenceRun(output, alphas, means)


def one_by_one(network: nn.Module) -> bool:
    """Whether a network runs its batches image by image, so that its layers are called once for each image."""
    return isinstance(network, ProgramNetwork) and network.one_by_one


def forward(network: nn.Module, images: Images) -> Array:
    """The scores (n, classes) of ``images``."""
    dtype = next(network.parameters()).dtype
    with torch.inference_mode():
        output: Tensor = network(torch.from_numpy(np.ascontiguousarray(images)).to(dtype))
        return output.double().numpy()


@contextlib.contextmanager
def hooked(handle: torch.utils.hooks.RemovableHandle) -> Iterator[None]:
    """Remove a hook at the end."""
    try:
        yield
    finally:
        handle.remove()


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let PyTorch compute with ``count`` threads inside.

    One is the default: a network of small layers gains little from more, and on a busy machine threads that wait for
    each other at every layer make it many times slower.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
