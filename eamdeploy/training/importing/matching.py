"""Put foreign tensors into a network of ours.

Names differ between libraries, the order of a MobileNet's layers does not: tensors are matched by name where the names are
ours, else in order, each to the next of the same kind and shape (1x1 convolutions and linear layers are the same thing).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eamdeploy.base.errors import DataError
from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.layers.blocks import ConvBnAct
from eamdeploy.training.importing.weights import Weights


@dataclass(frozen=True)
class Match:
    """Names of the network's tensors that were filled, and of those that kept their initial values."""

    matched: list[str]
    missing: list[str]


def fill(network: Network, weights: Weights, *, source: str) -> Match:
    """Fill a static ``network`` in place.

    Raises:
        DataError: when the weights are of another architecture, naming the first tensor that does not fit.
    """
    given = {name: value for name, value in weights.tensors.items() if not name.endswith("num_batches_tracked")}
    own = {name: value for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    if weights.folded:
        return _fill_folded(network, list(given.items()), source)
    pairs = _by_name(own, given) or _in_order(own, given, source)
    filled = {}
    for name, value in pairs.items():
        if value.numel() != own[name].numel():
            if name.startswith("classifier."):
                continue
            raise _misfit(source, name, own[name], value)
        filled[name] = value.reshape(own[name].shape).to(own[name].dtype)
    network.load_state_dict(filled, strict=False)
    return Match(sorted(filled), sorted(set(own) - set(filled)))


def _by_name(own: dict[str, Tensor], given: dict[str, Tensor]) -> dict[str, Tensor]:
    common = {name: given[name] for name in own if name in given}
    return common if len(common) > len(own) // 2 else {}


def _in_order(own: dict[str, Tensor], given: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    if len(own) != len(given):
        why = f"it has {len(given)} tensors, the network {len(own)}"
        hint = "check --arch and --width"
        raise DataError("the weights are of another architecture", where=source, why=why, hint=hint)
    return dict(zip(own, given.values(), strict=True))


@torch.no_grad()
def _fill_folded(network: Network, given: list[tuple[str, Tensor]], source: str) -> Match:
    """Folded weights: the batch norm keeps only the bias, y = 1 * x + b."""
    units = [module for module in network.modules() if isinstance(module, ConvBnAct)]
    if len(given) != 2 * (len(units) + 1):
        why = f"it has {len(given) // 2} layers, the network {len(units) + 1}"
        raise DataError(
            "the weights are of another architecture", where=source, why=why, hint="check --arch and --width"
        )
    names = {module: name for name, module in network.named_modules()}
    matched: list[str] = []
    for index, unit in enumerate(units):
        (weight_name, weight), (_, bias) = given[2 * index : 2 * index + 2]
        conv = unit.conv
        if not isinstance(conv, nn.Conv2d) or conv.weight.shape != weight.shape:
            raise _misfit(source, weight_name, conv.weight if isinstance(conv, nn.Conv2d) else weight, weight)
        conv.weight.copy_(weight)
        unit.bn.weight.fill_(1)
        unit.bn.bias.copy_(bias)
        if unit.bn.running_mean is not None and unit.bn.running_var is not None:
            unit.bn.running_mean.zero_()
            unit.bn.running_var.fill_(1 - unit.bn.eps)
        matched += [f"{names[unit]}.conv.weight", f"{names[unit]}.bn.bias"]
    weight, bias = given[-2][1], given[-1][1]
    missing = ["classifier.bias", "classifier.weight"]
    if weight.numel() == network.classifier.weight.numel():
        network.classifier.weight.copy_(weight.flatten(1))
        network.classifier.bias.copy_(bias)
        matched, missing = matched + missing, []
    return Match(matched, missing)


def _misfit(source: str, name: str, own: Tensor, given: Tensor) -> DataError:
    why = f"{name} is {tuple(given.shape)} where the network has {tuple(own.shape)}"
    return DataError("the weights do not fit the architecture", where=source, why=why, hint="check --arch and --width")
