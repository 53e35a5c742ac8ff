"""What a layer can become, and a network whose layers became it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eamdeploy.base.errors import UsageError
from eamdeploy.networks.checkpoint import AnyNetwork
from eamdeploy.networks.layers.blocks import ConvBnAct
from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.layers.mixed_conv import MixedConv2d
from eamdeploy.networks.layers.rewritten import COLLAPSE, LOW_RANK, MEAN_RESIDUAL
from export.rewrites.attention_stats import LayerAttention
from export.rewrites.collapse import Collapse
from export.rewrites.low_rank import LowRank
from export.rewrites.mean_residual import MeanResidual

EXACT = "exact"


@dataclass(frozen=True)
class RewriteChoice:
    """One layer's form.

    Attributes:
        kind: ``exact``, ``low-rank``, ``mean-residual`` or ``collapse``.
        rank: of ``low-rank`` its factors, of ``mean-residual`` its directions.
        storage: of ``mean-residual``: ``int8``, ``fp16`` or ``fp32``.
    """

    kind: str = EXACT
    rank: int | None = None
    storage: str | None = None

    def __str__(self) -> str:
        return " ".join(str(part) for part in (self.kind, self.rank, self.storage) if part is not None)

    def to_dict(self) -> dict[str, Any]:
        """The fields that say something."""
        values = {"kind": self.kind, "rank": self.rank, "storage": self.storage}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RewriteChoice:
        """The inverse of :meth:`to_dict`."""
        return cls(values.get("kind", EXACT), values.get("rank"), values.get("storage"))


def rewrite_layer(network: AnyNetwork, path: str, choice: RewriteChoice, statistics: LayerAttention) -> None:
    """Put ``choice`` in the place of the dynamic convolution at ``path``, in place.

    Raises:
        UsageError: when there is no dynamic convolution at ``path``, or the choice's kind is not known.
    """
    if choice.kind == EXACT:
        return
    layer = dict(network.named_modules()).get(path)
    if not isinstance(layer, MixedConv2d):
        raise UsageError("only a dynamic convolution can be rewritten", where=path)
    if not isinstance(layer, AttentionConv2d) and choice.kind != COLLAPSE:
        raise UsageError(f"a layer whose mixing weights are given to it has no form '{choice.kind}'", where=path)
    mean = torch.tensor(statistics.mean, dtype=torch.float64)
    if layer.bounds.convex:
        mean = mean / mean.sum()
    covariance = torch.tensor(statistics.covariance, dtype=torch.float64)
    if choice.kind == COLLAPSE:
        replacement = Collapse().rewrite(layer, mean)
    elif choice.kind == LOW_RANK:
        replacement = LowRank(choice.rank).rewrite(layer, mean, covariance)
    elif choice.kind == MEAN_RESIDUAL:
        scale = _output_scale(network, path)
        replacement = MeanResidual(choice.storage or "fp32", choice.rank).rewrite(
            layer, mean, covariance, output_scale=scale
        )
    else:
        raise UsageError(f"unknown rewrite '{choice.kind}'", where=path)
    network.set_submodule(path, replacement.train(layer.training))
    network.rewrites[path] = choice.to_dict()


def _output_scale(network: AnyNetwork, path: str) -> Tensor | None:
    """What the batch norm behind the layer multiplies its outputs by, ``(O,)``."""
    block = network.get_submodule(path.rpartition(".")[0])
    if not isinstance(block, ConvBnAct) or block.bn.running_var is None:
        return None
    scale = torch.rsqrt(block.bn.running_var.double() + block.bn.eps)
    return scale if block.bn.weight is None else scale * block.bn.weight.detach().double()


def rewrite_network(
    network: AnyNetwork, choices: Mapping[str, RewriteChoice], statistics: Mapping[str, LayerAttention]
) -> AnyNetwork:
    """A copy of ``network`` with every layer in the form that ``choices`` gives it; others stay exact."""
    rewritten = copy.deepcopy(network)
    for path, choice in choices.items():
        rewrite_layer(rewritten, path, choice, statistics[path])
    return rewritten
