"""What a rewrite of one layer alone does to the scores: the mean Kullback-Leibler divergence from the exact network's.

Small rewrites of different layers disturb the scores nearly independently, so their divergences add up: a search can
weigh them without trying every combination. Unlike a count of changed answers it is smooth and sees near misses.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

from eamdeploy.base.progress import SILENT, Progress
from eamdeploy.networks.checkpoint import AnyNetwork
from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.layers.rewritten import COLLAPSE, LOW_RANK, MEAN_RESIDUAL
from eamdeploy.networks.program.network import ProgramNetwork
from export.lowerings.base import LayerSite
from export.rewrites.attention_stats import LayerAttention
from export.rewrites.choice import RewriteChoice, rewrite_layer
from export.rewrites.factors import full_rank
from export.rewrites.images import LabelledImages

RANKS = (1, 2, 4, 8)
# a rewrite that already does this small a part of what collapsing does needs no finer relative
GOOD_ENOUGH = 0.03
# collapsing that alone does less than this (nats) changes no answer: nothing between it and exact is worth a trial
NEGLIGIBLE = 1e-7

Worthwhile = Callable[[LayerSite, RewriteChoice], bool]


def divergence(reference: Tensor, scores: Tensor) -> float:
    """Mean over images of ``KL(softmax(reference) || softmax(scores))``, in nats, for scores ``(N, classes)``."""
    left, right = reference.double().log_softmax(1), scores.double().log_softmax(1)
    return max(0.0, float((left.exp() * (left - right)).sum(dim=1).mean()))


@torch.no_grad()
def scores_of(network: nn.Module, batches: Iterator[Tensor]) -> Tensor:
    """Scores ``(N, classes)`` in evaluation mode."""
    network.eval()
    return torch.cat([network(images) for images in batches])


@torch.no_grad()
def layer_divergences(
    network: AnyNetwork,
    sites: list[LayerSite],
    statistics: Mapping[str, LayerAttention],
    images: LabelledImages,
    *,
    storage: str = "fp32",
    worthwhile: Worthwhile,
    progress: Progress = SILENT,
) -> dict[str, dict[RewriteChoice, float]]:
    """The divergence of each choice of each layer, all others exact: layer path to choice to nats.

    The part of the network before a layer runs once for all of its choices.

    Args:
        storage: of the directions' kernels that ``mean-residual`` is tried with.
        worthwhile: whether a choice is cheaper than the exact layer; others are not tried.
    """
    network = copy.deepcopy(network).eval()
    stages = [*_stages(network)]
    feeds = list(images.batches())
    sites_by_path = {site.path: site for site in sites}
    reference: Tensor | None = None
    divergences: dict[str, dict[RewriteChoice, float]] = {}
    for index, (prefix, stage) in enumerate(stages):
        rest = [module for _, module in stages[index:]]
        if reference is None:
            reference = torch.cat([_run(network, rest, feed) for feed in feeds])
        inside = [path for path in sites_by_path if not prefix or path == prefix or path.startswith(f"{prefix}.")]
        for path in inside:
            divergences[path] = _try_choices(
                network,
                sites_by_path[path],
                statistics[path],
                rest=rest,
                feeds=feeds,
                reference=reference,
                storage=storage,
                worthwhile=worthwhile,
            )
            progress.step(len(divergences), len(sites_by_path))
        if index + 1 < len(stages):
            feeds = [stage(feed) for feed in feeds]
    return divergences


def _try_choices(
    network: AnyNetwork,
    site: LayerSite,
    statistics: LayerAttention,
    *,
    rest: list[nn.Module],
    feeds: list[Tensor],
    reference: Tensor,
    storage: str,
    worthwhile: Worthwhile,
) -> dict[RewriteChoice, float]:
    def measure(choice: RewriteChoice) -> float:
        original = network.get_submodule(site.path)
        try:
            rewrite_layer(network, site.path, choice, statistics)
            return divergence(reference, torch.cat([_run(network, rest, feed) for feed in feeds]))
        finally:
            network.set_submodule(site.path, original)
            network.rewrites.pop(site.path, None)

    collapse = RewriteChoice(COLLAPSE)
    divergences = {collapse: measure(collapse)}
    if divergences[collapse] <= NEGLIGIBLE or not isinstance(site.layer, AttentionConv2d):
        return divergences
    directions = [RewriteChoice(MEAN_RESIDUAL, rank, storage) for rank in range(1, site.layer.kernels)]
    whole = full_rank(tuple(site.layer.bank.shape), site.layer.groups)
    most = site.layer.kernels - 2 if site.layer.groups > 1 else whole // 2
    factors = [RewriteChoice(LOW_RANK, rank) for rank in RANKS if rank <= most]
    for finer in (directions, factors):
        for choice in finer:
            if not worthwhile(site, choice):
                break
            divergences[choice] = measure(choice)
            if divergences[choice] <= max(NEGLIGIBLE, GOOD_ENOUGH * divergences[collapse]):
                break
    return divergences


def _stages(network: AnyNetwork) -> Iterator[tuple[str, nn.Module]]:
    """The parts that run one after the other, with their paths; an imported network is one part."""
    if isinstance(network, ProgramNetwork):
        yield "", network
        return
    yield "stem", network.stem
    for name, block in network.blocks.named_children():
        yield f"blocks.{name}", block


def _run(network: AnyNetwork, rest: list[nn.Module], x: Tensor) -> Tensor:
    for stage in rest:
        x = stage(x)
    if isinstance(network, ProgramNetwork):
        return x
    scores: Tensor = network.classifier(network.head(x.mean(dim=(2, 3))))
    return scores
