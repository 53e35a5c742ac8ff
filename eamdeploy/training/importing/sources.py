"""The libraries whose weights are recognised by the names of their tensors, and the function that each computes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from eamdeploy.base.errors import UsageError, did_you_mean
from eamdeploy.networks.architectures.network import Network
from eamdeploy.training.importing.function import HALF, Function
from eamdeploy.training.importing.names.keras import keras_names, slim_names
from eamdeploy.training.importing.names.timm import timm_names
from eamdeploy.training.importing.names.torchvision import torchvision_names
from eamdeploy.training.importing.names.transformers import transformers_names
from eamdeploy.training.importing.names.walk import LayerNames

V1, V2, SMALL, LARGE = "mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"
_TF = Function(1e-3, "tf-same", "own", *HALF)
_TF_RELU6 = Function(1e-3, "tf-same", "relu6", *HALF)
_TIMM = Function(interpolation="bicubic")
_WIDE = Function(1e-3)
_TENSORFLOW = {V1: _TF_RELU6, V2: _TF, SMALL: _TF, LARGE: _TF}


@dataclass(frozen=True)
class WeightsSource:
    """One library.

    Attributes:
        name: in messages and options.
        names: what it calls the layers of a network; takes the prefixes of the blocks in the file as well.
        functions: by architecture; those that the library has.
        same_names: another source whose files cannot be told from this one's.
    """

    name: str
    names: Callable[[Network, Sequence[str]], Iterator[LayerNames]]
    functions: Mapping[str, Function]
    same_names: str | None = None


SOURCES = {
    source.name: source
    for source in (
        WeightsSource(
            "torchvision", lambda network, _: torchvision_names(network), {V2: Function(), SMALL: _WIDE, LARGE: _WIDE}
        ),
        WeightsSource(
            "timm",
            timm_names,
            {V1: Function(1e-5, "symmetric", "relu6", *HALF, "bicubic"), V2: _TIMM, SMALL: _TIMM, LARGE: _TIMM},
            "timm-tf",
        ),
        WeightsSource("timm-tf", timm_names, {SMALL: _TF, LARGE: _TF}, "timm"),
        WeightsSource("transformers", lambda network, _: transformers_names(network), {V1: _TF_RELU6, V2: _TF}),
        WeightsSource("keras", lambda network, _: keras_names(network), {V1: _TF_RELU6, V2: _TF}),
        WeightsSource("tf-slim", lambda network, _: slim_names(network), _TENSORFLOW),
    )
}
# a file whose names say nothing: the paper's function, as PyTorch trains it
UNKNOWN = Function()
FOLDED = _TENSORFLOW


def get_source(name: str) -> WeightsSource:
    """The source called ``name``.

    Raises:
        UsageError: when there is none.
    """
    if name not in SOURCES:
        raise UsageError(f"unknown source of weights '{name}'", hint=did_you_mean(name, SOURCES))
    return SOURCES[name]


def function_of(source: WeightsSource, arch: str, names: Collection[str]) -> Function:
    """The function of one network of a source; two of timm's V3 differ from the others, which their tensors show."""
    function = source.functions[arch]
    if source.name == "timm" and arch == LARGE:
        if "conv_head.bias" not in names:  # mobilenetv3_rw
            return replace(function, epsilon=1e-3)
        if "blocks.6.1.conv.weight" in names:  # mobilenetv3_large_150d
            return replace(function, mean=HALF[0], std=HALF[1])
    return function


def guess_twin(source: WeightsSource, file_name: str) -> WeightsSource:
    """Of two sources with the same names, the one that the file's name speaks for."""
    twin = source.same_names
    if source.name == "timm" and twin is not None and file_name.lower().startswith("tf_"):
        return SOURCES[twin]
    return source
