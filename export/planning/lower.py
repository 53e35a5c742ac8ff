"""From a network and a plan to a network without dynamic modules.

    plan = plan_network(network, target, input_shape)     # export.planning.plan
    lowered = lower(network, plan)                         # torch.nn.Module, (B, C, H, W) -> (B, classes)

Module paths stay: the lowered form of ``blocks.3.pointwise.conv`` is ``lowered.get_submodule("blocks.3.pointwise.conv")``, a
:class:`~export.lowerings.base.LoweredConv`, whose ``attention`` child gives alpha. A rewrite that is not a lowering by itself
(a quantizer, a budgeted approximation) can work on the result, or add further lowerings to the registry.
"""

from __future__ import annotations

from typing import TypeVar

from torch import nn

from eamdeploy.networks.layers.mixed_conv import MixedConv2d
from eamdeploy.networks.layers.rewritten import LowRankConv2d
from export.lowerings.base import LayerSite
from export.lowerings.computed import lower_computed
from export.lowerings.fold import fold_batchnorm
from export.planning.plan import Plan
from export.registry import get_lowering
from export.rewrites.low_rank import FactoredSite, LoweredLowRank

NetworkT = TypeVar("NetworkT", bound=nn.Module)


def lower(network: NetworkT, plan: Plan) -> NetworkT:
    """An equal copy of ``network``: batch norms folded, every planned layer replaced by its lowered form.

    Raises:
        TypeError: when the plan names a layer that is no dynamic convolution of this network.
    """
    lowered = fold_batchnorm(network)
    for entry in plan.layers:
        layer = lowered.get_submodule(entry.layer)
        if isinstance(layer, LowRankConv2d):
            module: nn.Module = LoweredLowRank(FactoredSite(entry.layer, layer, entry.input_hw), plan.target)
        elif isinstance(layer, MixedConv2d):
            module = get_lowering(entry.lowering)(LayerSite(entry.layer, layer, entry.input_hw), plan.target)
        else:
            raise TypeError(f"{entry.layer} is a {type(layer).__name__}, not a dynamic convolution")
        lowered.set_submodule(entry.layer, module.eval())
    lower_computed(lowered, plan.target)
    return lowered.requires_grad_(False)
