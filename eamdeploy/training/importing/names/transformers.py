"""Hugging Face transformers' names: ``mobilenet_v1.layer.4.convolution.weight``; weights ported from TensorFlow.

https://github.com/huggingface/transformers, models/mobilenet_v1 and models/mobilenet_v2.
"""

from __future__ import annotations

from collections.abc import Iterator

from eamdeploy.networks.architectures.network import Network
from eamdeploy.training.importing.names.walk import ConvNames, LayerNames, LinearNames, blocks_of


def transformers_names(network: Network) -> Iterator[LayerNames]:
    """Of a V1 or V2; transformers has no V3 of its own."""
    if network.spec.arch == "mobilenet_v1":
        yield _unit("stem", "conv_stem")
        for block in blocks_of(network):
            yield _unit(f"{block.path}.depthwise", f"layer.{2 * block.index}")
            yield _unit(f"{block.path}.pointwise", f"layer.{2 * block.index + 1}")
    else:
        yield _unit("stem", "conv_stem.first_conv")
        for block in blocks_of(network):
            if block.kind == "plain":
                yield _unit(block.path, "conv_1x1")
                continue
            # the first block, which does not expand, is part of the stem there
            place = "conv_stem" if block.index == 0 else f"layer.{block.index - 1}"
            if block.expands:
                yield _unit(f"{block.path}.expand", f"{place}.expand_1x1")
            yield _unit(f"{block.path}.depthwise", f"{place}.conv_3x3")
            yield _unit(f"{block.path}.project", f"{place}.reduce_1x1")
    yield LinearNames("classifier", "classifier")


def _unit(our_name: str, place: str) -> ConvNames:
    return ConvNames(our_name, f"{place}.convolution", f"{place}.normalization")
