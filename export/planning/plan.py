"""Which lowering each layer gets, why, and what it is expected to cost.

``plan_network`` goes through a network's dynamic convolutions. For each it asks every lowering whether it serves the layer on
the target (refusals are kept, with their reasons) and takes, in this order: the one the user demands, the cheapest by
measurement where measurements are given, the first that the shipped rules prefer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from eamdeploy.base.errors import UsageError
from eamdeploy.networks.layers.rewritten import LOW_RANK, MEAN_RESIDUAL, MeanResidualConv2d
from eamdeploy.networks.program.network import ProgramNetwork
from export.lowerings.base import LayerSite, Refusal, layer_kind
from export.lowerings.blocked import BLOCKED
from export.lowerings.fold import fold_batchnorm
from export.planning.rules import predict_cost_ms, preferred
from export.planning.sites import find_all_sites
from export.planning.target import Target
from export.registry import get_lowering, lowering_names
from export.rewrites.low_rank import FactoredSite

# forms whose every kernel is a constant of the file
CONSTANT = ("experts", "inputs", "low-rank", "collapse")
# (site, target, lowering names that serve it) -> milliseconds by name
CostModel = Callable[[LayerSite, Target, tuple[str, ...]], Mapping[str, float]]


@dataclass(frozen=True)
class LayerPlan:
    """What one layer gets.

    Attributes:
        layer: module path.
        kind: ``pointwise``, ``depthwise``, ``grouped`` or ``full``.
        shape: bank shape (k, O, C/g, kh, kw).
        input_hw: height and width of its input map.
        stride: of the convolution.
        lowering: the chosen lowering.
        reason: why this one.
        predicted_ms: from the shipped table, where it covers the layer.
        measured_ms: by lowering, where the planner measured.
        refusals: the lowerings that do not serve the layer, with the reason.
    """

    layer: str
    kind: str
    shape: tuple[int, ...]
    input_hw: tuple[int, int]
    stride: tuple[int, int]
    lowering: str
    reason: str
    predicted_ms: float | None = None
    measured_ms: Mapping[str, float] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, as in the manifest and the artifact's metadata."""
        return {
            "layer": self.layer,
            "kind": self.kind,
            "shape": list(self.shape),
            "input_hw": list(self.input_hw),
            "stride": list(self.stride),
            "lowering": self.lowering,
            "reason": self.reason,
            "predicted_ms": self.predicted_ms,
            "measured_ms": dict(self.measured_ms),
            "refusals": [{"lowering": refusal.lowering, "reason": refusal.reason} for refusal in self.refusals],
        }


@dataclass(frozen=True)
class Plan:
    """The lowering of every dynamic layer of one network on one target, in order of execution."""

    target: Target
    layers: tuple[LayerPlan, ...]

    def lowerings(self) -> dict[str, str]:
        """Layer path to lowering name."""
        return {entry.layer: entry.lowering for entry in self.layers}

    def to_list(self) -> list[dict[str, Any]]:
        """JSON-ready values."""
        return [entry.to_dict() for entry in self.layers]


def plan_network(
    network: nn.Module,
    target: Target,
    input_shape: tuple[int, int, int],
    *,
    lowering: str | Mapping[str, str] = "auto",
    costs: CostModel | None = None,
    constant_weights: bool = False,
) -> Plan:
    """Choose a lowering for each dynamic convolution of ``network`` at ``input_shape`` (C, H, W).

    Args:
        network: with :class:`~eamdeploy.networks.layers.dynamic_conv.AttentionConv2d` layers; a static one gives an empty plan.
        target: what to plan for.
        input_shape: of one image.
        lowering: ``auto``; or one name, used wherever it serves; or layer path to name, which must serve.
        constant_weights: use only forms whose kernels are constants of the file.
        costs: measured costs (``export.planning.costs.MeasuredCosts``); without it the shipped rules decide.

    Raises:
        UsageError: for an unknown name, a layer that does not exist, or a lowering that does not serve the layer it is
            demanded for (or, as a single name, any layer).
    """
    if isinstance(network, ProgramNetwork) and network.one_by_one and target.batch == "dynamic":
        raise UsageError(
            "an open batch cannot be exported",
            why="the network goes through its images one by one",
            hint="give a batch of a fixed size, such as 1",
        )
    # as they will be lowered: a folded batch norm leaves a bias, and converters make other operators of a layer without one
    sites = find_all_sites(fold_batchnorm(network), input_shape)
    demands = _demands(lowering, [site for site in sites if isinstance(site, LayerSite)])
    layers = tuple(
        _plan_layer(site, target, demands.get(site.path), costs, constant_weights=constant_weights)
        if isinstance(site, LayerSite)
        else _plan_factored(site)
        for site in sites
    )
    if isinstance(lowering, str) and lowering != "auto" and layers and all(e.lowering != lowering for e in layers):
        reasons = {r.reason for entry in layers for r in entry.refusals if r.lowering == lowering}
        raise UsageError(f"lowering '{lowering}' serves no layer of this network", why="; ".join(sorted(reasons)))
    return Plan(target, layers)


def _demands(lowering: str | Mapping[str, str], sites: list[LayerSite]) -> dict[str, tuple[str, bool]]:
    """Path to (name, whether it must serve)."""
    if isinstance(lowering, str):
        if lowering == "auto":
            return {}
        get_lowering(lowering)
        return {site.path: (lowering, False) for site in sites}
    unknown = set(lowering) - {site.path for site in sites}
    if unknown:
        raise UsageError(
            f"there is no dynamic layer '{min(unknown)}'", hint=f"layers: {', '.join(site.path for site in sites)}"
        )
    for name in lowering.values():
        get_lowering(name)
    return {path: (name, True) for path, name in lowering.items()}


def _plan_factored(site: FactoredSite) -> LayerPlan:
    layer = site.layer
    return LayerPlan(
        layer=site.path,
        kind=layer_kind(layer),
        shape=(layer.kernels, *layer.mean.shape),
        input_hw=site.input_hw,
        stride=layer.stride,
        lowering=LOW_RANK,
        reason=f"factored at rank {layer.rank}, within the budget",
    )


def _plan_layer(
    site: LayerSite,
    target: Target,
    demand: tuple[str, bool] | None,
    costs: CostModel | None,
    *,
    constant_weights: bool,
) -> LayerPlan:
    names = lowering_names() if target.portable else (*lowering_names(), BLOCKED)
    if constant_weights:
        names = tuple(name for name in names if name in CONSTANT)
        if demand is not None and demand[0] not in CONSTANT:
            raise UsageError(
                f"lowering '{demand[0]}' computes kernels", where=site.path, hint=f"known: {', '.join(CONSTANT)}"
            )
    if demand is not None and demand[0] not in names:
        names = (*names, demand[0])
    refusals = tuple(refusal for name in names if (refusal := get_lowering(name).applies(site, target)) is not None)
    refused = {refusal.lowering: refusal.reason for refusal in refusals}
    serving = tuple(name for name in names if name not in refused)
    if constant_weights and not serving:
        raise UsageError(
            "this layer has no form with constant weights",
            where=site.path,
            why="; ".join(sorted(set(refused.values()))),
        )
    if demand is not None and demand[1] and demand[0] in refused:
        raise UsageError(f"lowering '{demand[0]}' does not serve this layer", where=site.path, why=refused[demand[0]])
    measured: Mapping[str, float] = {}
    choice = preferred(site, target, serving)
    name, reason = choice.lowering, choice.because
    if demand is not None and demand[0] in serving:
        name, reason = demand[0], "demanded"
    elif isinstance(site.layer, MeanResidualConv2d):
        name, reason = MEAN_RESIDUAL, f"stored as a mean kernel and {site.layer.storage} differences, within the budget"
    elif costs is not None:
        measured = costs(site, target, serving)
        if measured:
            name, reason = min(measured, key=lambda key: measured[key]), "cheapest as measured"
    return LayerPlan(
        layer=site.path,
        kind=site.kind,
        shape=tuple(site.layer.bank.shape),
        input_hw=site.input_hw,
        stride=site.layer.stride,
        lowering=name,
        reason=reason,
        predicted_ms=predict_cost_ms(site, target, name),
        measured_ms=measured,
        refusals=refusals,
    )
