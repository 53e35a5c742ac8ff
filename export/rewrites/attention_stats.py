"""How much the attention of each layer moves over real images, and what that bounds.

With ``abar`` the mean of alpha over the images and ``Wbar = sum_i abar_i K_i``, for each image

    ||W(x) - Wbar|| <= sum_i |alpha_i(x) - abar_i| ||K_i||            (Frobenius norms)

and for any image at all, as alpha is convex, ``||W(x) - Wbar|| <= max_i ||K_i - Wbar||``. The true distance is computed
from the bank's Gram matrix, so that no kernel is ever mixed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from eamdeploy.networks.layers.mixed_conv import MixedConv2d
from eamdeploy.networks.program.network import ProgramNetwork
from export.exporter.reference import attention_layers


@dataclass(frozen=True)
class LayerAttention:
    """The attention of one layer over some images.

    Attributes:
        layer: module path.
        images: how many.
        mean, std, low, high: of each kernel's weight, ``(k,)``.
        movement: mean over images of ``sum_i |alpha_i - abar_i|``; 2 is the most there can be.
        movement_max: the most over the images.
        effective_rank: exp of the entropy of the covariance's normalised eigenvalues (Roy and Vetterli 2007): how many
            directions alpha moves in; 0 where it does not move.
        distance: mean over images of ``||W(x) - Wbar|| / ||Wbar||``.
        distance_max: the most over the images.
        bound_max: the most of ``sum_i |alpha_i - abar_i| ||K_i|| / ||Wbar||`` over the images.
        worst_case: ``max_i ||K_i - Wbar|| / ||Wbar||``: holds for images not seen as well.
        covariance: of alpha, ``(k, k)``.
    """

    layer: str
    images: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    movement: float
    movement_max: float
    effective_rank: float
    distance: float
    distance_max: float
    bound_max: float
    worst_case: float
    covariance: tuple[tuple[float, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)


@torch.no_grad()
def collect_alpha(network: nn.Module, batches: Iterable[Tensor]) -> dict[str, Tensor]:
    """Run ``batches`` of ``(B, C, H, W)`` and keep each attention's weights: layer path to ``(N, k)``, in float64."""
    alphas: dict[str, list[Tensor]] = {}

    def keep(path: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(module: nn.Module, inputs: Any, alpha: Tensor) -> None:
            del module, inputs
            alphas.setdefault(path, []).append(alpha.detach().double())

        return hook

    hooks = [module.register_forward_hook(keep(path)) for path, module in attention_layers(network).items()]
    training = network.training
    try:
        network.eval()
        for images in batches:
            # a network that runs images one by one calls its attentions once for each
            for part in images.split(1) if isinstance(network, ProgramNetwork) and network.one_by_one else (images,):
                network(part)
    finally:
        for hook in hooks:
            hook.remove()
        network.train(training)
    return {path: torch.cat(parts) for path, parts in alphas.items()}


@torch.no_grad()
def layer_attention(path: str, bank: Tensor, alpha: Tensor, *, convex: bool = True) -> LayerAttention:
    """The statistics of one layer with kernels ``bank: (k, ...)`` from its weights ``alpha: (N, k)``.

    Where the weights need not sum to 1, ``worst_case`` is that of the images that were seen.
    """
    alpha = alpha.double()
    flat = bank.detach().double().flatten(1)
    mean = normalised_mean(alpha) if convex else alpha.mean(dim=0)
    moves = alpha - mean
    mean_norm = (mean @ flat).norm().clamp(min=1e-30)
    gram = flat @ flat.T
    distance = ((moves @ gram) * moves).sum(dim=1).clamp(min=0).sqrt() / mean_norm
    bound = kernel_bound(moves, flat) / mean_norm
    covariance = moves.T @ moves / len(alpha)
    return LayerAttention(
        layer=path,
        images=len(alpha),
        mean=_floats(mean),
        std=_floats(covariance.diagonal().sqrt()),
        low=_floats(alpha.amin(dim=0)),
        high=_floats(alpha.amax(dim=0)),
        movement=float(moves.abs().sum(dim=1).mean()),
        movement_max=float(moves.abs().sum(dim=1).max()),
        effective_rank=effective_rank(covariance),
        distance=float(distance.mean()),
        distance_max=float(distance.max()),
        bound_max=float(bound.max()),
        worst_case=float((flat - mean @ flat).norm(dim=1).max() / mean_norm) if convex else float(distance.max()),
        covariance=tuple(_floats(row) for row in covariance),
    )


def normalised_mean(alpha: Tensor) -> Tensor:
    """The mean of ``alpha: (N, k)`` as weights that sum to 1 to the last bit of float64."""
    mean = alpha.double().mean(dim=0)
    total: Tensor = mean.sum()
    return mean / total


def kernel_bound(moves: Tensor, flat: Tensor) -> Tensor:
    """``sum_i |moves_i| ||K_i||`` for ``moves: (N, k)`` and kernels ``(k, n)``: ``(N,)``."""
    bound: Tensor = moves.abs() @ flat.norm(dim=1)
    return bound


def effective_rank(covariance: Tensor) -> float:
    """Of a covariance ``(k, k)``; 0 where nothing varies beyond float32's rounding."""
    values = torch.linalg.eigvalsh(covariance).clamp(min=0)
    total = values.sum()
    if float(total) < 1e-14:
        return 0.0
    shares = values / total
    entropy = -(shares * torch.where(shares > 0, shares.log(), torch.zeros_like(shares))).sum()
    return float(entropy.exp())


def attention_statistics(network: nn.Module, batches: Iterable[Tensor]) -> dict[str, LayerAttention]:
    """:class:`LayerAttention` of every dynamic layer of ``network`` over ``batches``, in order of execution."""
    statistics = {}
    for path, alpha in collect_alpha(network, batches).items():
        layer = network.get_submodule(path)
        # a layer that was made low-rank already has no bank: its distance from the mean is not asked for again
        if isinstance(layer, MixedConv2d):
            statistics[path] = layer_attention(path, layer.bank, alpha, convex=layer.bounds.convex)
    return statistics


def _floats(values: Tensor) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
