"""Put foreign tensors into a network of ours, each only where its shape says that it belongs.

Names of a known library say which tensor is which (:mod:`eamdeploy.training.importing.recognise`). Else tensors are matched
by our own names, or in the order of the layers, which does not differ between libraries.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from eamdeploy.base.errors import DataError
from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.layers.blocks import ConvBnAct
from eamdeploy.training.importing.function import OWN_EPSILON
from eamdeploy.training.importing.names.walk import ConvNames
from eamdeploy.training.importing.recognise import RecognisedSource
from eamdeploy.training.importing.shapes import Layouts, shown
from eamdeploy.training.importing.states import without_counters
from eamdeploy.training.importing.weights import ForeignWeights

_NORM = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True)
class Match:
    """Names of the network's tensors that were filled, and of those that kept their initial values.

    Attributes:
        unused: tensors of the file that no layer took.
        transposed: tensors that came in TensorFlow's layout and were turned.
    """

    matched: list[str]
    missing: list[str]
    unused: list[str] = field(default_factory=list)
    transposed: int = 0


def fill(
    network: Network, weights: ForeignWeights, *, source: str, recognised: RecognisedSource | None = None
) -> Match:
    """Fill a static ``network`` in place.

    Args:
        source: the file, for messages.
        recognised: the names of the library that the file comes from.

    Raises:
        DataError: when the weights are of another architecture, naming the first tensor that does not fit.
    """
    our_tensors = without_counters(network.state_dict())
    if recognised is not None:
        return _load(network, our_tensors, _by_library(recognised, source), source, used=set(recognised.tensors))
    their_tensors = without_counters(weights.tensors)
    if weights.folded:
        return _fill_folded(network, list(their_tensors.items()), source)
    pairs = {name: (name, their_tensors[name]) for name in our_tensors if name in their_tensors}
    if len(pairs) <= len(our_tensors) // 2:
        pairs = _in_order(our_tensors, their_tensors, weights.ordered, source)
    return _load(network, our_tensors, pairs, source, used=set(their_tensors))


@torch.no_grad()
def widen_variances(network: nn.Module, epsilon: float) -> None:
    """Make every batch norm compute as with ``epsilon``: the variances take up the difference to this project's own."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_var is not None:
            module.running_var += epsilon - OWN_EPSILON


def _by_library(recognised: RecognisedSource, source: str) -> dict[str, tuple[str, Tensor]]:
    """Our name to the file's name and tensor."""
    pairs: dict[str, tuple[str, Tensor]] = {}
    for name in recognised.names:
        if isinstance(name, ConvNames):
            key_by_name = {f"{name.path}.conv.weight": f"{name.conv}.weight"}
            key_by_name |= {f"{name.path}.bn.{leaf}": f"{name.norm}.{leaf}" for leaf in _NORM}
        else:
            key_by_name = {f"{name.path}.{leaf}": f"{name.name}.{leaf}" for leaf in ("weight", "bias")}
        for our_name, key in key_by_name.items():
            if key in recognised.tensors:
                pairs[our_name] = (key, recognised.tensors[key])
            elif not our_name.startswith("classifier.") and our_name != "head.0.bias":
                raise DataError("the weights are incomplete", where=source, why=f"there is no {recognised.prefix}{key}")
        if isinstance(name, ConvNames) and (bias := recognised.tensors.get(f"{name.conv}.bias")) is not None:
            # a batch norm subtracts its mean from whatever bias came before it
            key, mean = pairs[f"{name.path}.bn.running_mean"]
            pairs[f"{name.path}.bn.running_mean"] = (key, mean - bias)
    return pairs


def _in_order(
    our_tensors: dict[str, Tensor], their_tensors: dict[str, Tensor], ordered: bool, source: str
) -> dict[str, tuple[str, Tensor]]:
    if not ordered:
        why = "its names are of no library that is known here, and it keeps its tensors in alphabetical order, not the layers'"
        hint = "save the state dict with torch.save, or give the source"
        raise DataError("the tensors cannot be told apart", where=source, why=why, hint=hint)
    if len(our_tensors) != len(their_tensors):
        why = f"it has {len(their_tensors)} tensors, the network {len(our_tensors)}"
        raise DataError(
            "the weights are of another architecture",
            where=source,
            why=why,
            hint="check the architecture and the width",
        )
    return dict(zip(our_tensors, their_tensors.items(), strict=True))


def _load(
    network: Network,
    our_tensors: dict[str, Tensor],
    pairs: dict[str, tuple[str, Tensor]],
    source: str,
    *,
    used: set[str],
) -> Match:
    layouts, filled = Layouts(), {}
    # kernels first: they show the layout that a square matrix does not
    for name in sorted(pairs, key=lambda key: our_tensors[key].ndim != 4):
        key, value = pairs[name]
        fitted = layouts.fit(value, tuple(our_tensors[name].shape))
        if fitted is None:
            if name.startswith("classifier."):
                continue
            raise _misfit(source, key, name, our_tensors[name], value)
        filled[name] = fitted.to(our_tensors[name].dtype)
    if "head.0.weight" in filled and "head.0.bias" not in filled:
        filled["head.0.bias"] = torch.zeros_like(our_tensors["head.0.bias"])
    if not {"classifier.weight", "classifier.bias"} <= set(filled):
        filled = {name: value for name, value in filled.items() if not name.startswith("classifier.")}
    network.load_state_dict(filled, strict=False)
    used_keys = {key for name, (key, _) in pairs.items() if name in filled}
    return Match(sorted(filled), sorted(set(our_tensors) - set(filled)), sorted(used - used_keys), layouts.transposed)


@torch.no_grad()
def _fill_folded(network: Network, their_tensors: list[tuple[str, Tensor]], source: str) -> Match:
    """Folded weights: the batch norm keeps only the bias, y = 1 * x + b."""
    units = [module for module in network.modules() if isinstance(module, ConvBnAct)]
    if len(their_tensors) != 2 * (len(units) + 1):
        why = f"it has {len(their_tensors) // 2} layers, the network {len(units) + 1}"
        raise DataError(
            "the weights are of another architecture",
            where=source,
            why=why,
            hint="check the architecture and the width",
        )
    names = {module: name for name, module in network.named_modules()}
    matched: list[str] = []
    for index, unit in enumerate(units):
        (weight_name, weight), (_, bias) = their_tensors[2 * index : 2 * index + 2]
        conv, name = unit.conv, f"{names[unit]}.conv.weight"
        if not isinstance(conv, nn.Conv2d) or conv.weight.shape != weight.shape:
            raise _misfit(source, weight_name, name, conv.weight if isinstance(conv, nn.Conv2d) else weight, weight)
        conv.weight.copy_(weight)
        unit.bn.weight.fill_(1)
        unit.bn.bias.copy_(bias)
        if unit.bn.running_mean is not None and unit.bn.running_var is not None:
            unit.bn.running_mean.zero_()
            unit.bn.running_var.fill_(1 - unit.bn.eps)
        matched += [f"{names[unit]}.conv.weight", f"{names[unit]}.bn.bias"]
    weight, bias = their_tensors[-2][1], their_tensors[-1][1]
    missing = ["classifier.bias", "classifier.weight"]
    fitted = Layouts().fit(weight, tuple(network.classifier.weight.shape))
    if fitted is not None and bias.shape == network.classifier.bias.shape:
        network.classifier.weight.copy_(fitted)
        network.classifier.bias.copy_(bias)
        matched, missing = matched + missing, []
    return Match(matched, missing)


def _misfit(source: str, key: str, name: str, our_tensor: Tensor, their_tensor: Tensor) -> DataError:
    why = f"{key} is {shown(their_tensor.shape)} where the network has {shown(our_tensor.shape)} ({name})"
    hint = "check the architecture and the width"
    return DataError("the weights do not fit the architecture", where=source, why=why, hint=hint)
