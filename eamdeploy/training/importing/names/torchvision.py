"""torchvision's names: ``features.3.conv.0.0.weight`` (V2), ``features.3.block.1.0.weight`` (V3).

https://github.com/pytorch/vision, torchvision/models/mobilenetv2.py and mobilenetv3.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from eamdeploy.networks.architectures.network import Network
from eamdeploy.training.importing.names.walk import Block, ConvNames, LayerNames, LinearNames, blocks_of, has_hidden


def torchvision_names(network: Network) -> Iterator[LayerNames]:
    """Of a V2 or V3; torchvision has no V1."""
    yield ConvNames("stem", "features.0.0", "features.0.1")
    for block in blocks_of(network):
        place = f"features.{block.index + 1}"
        if block.kind == "plain":
            yield ConvNames(block.path, f"{place}.0", f"{place}.1")
        elif network.spec.arch == "mobilenet_v2":
            yield from _v2_block(block, f"{place}.conv")
        else:
            yield from _v3_block(block, f"{place}.block")
    if has_hidden(network):
        yield LinearNames("head.0", "classifier.0")
        yield LinearNames("classifier", "classifier.3")
    else:
        yield LinearNames("classifier", "classifier.1")


def _v2_block(block: Block, place: str) -> Iterator[LayerNames]:
    parts = ["expand", "depthwise"] if block.expands else ["depthwise"]
    for index, part in enumerate(parts):
        yield ConvNames(f"{block.path}.{part}", f"{place}.{index}.0", f"{place}.{index}.1")
    # the last convolution and its norm lie in the block's own sequence, without an activation
    yield ConvNames(f"{block.path}.project", f"{place}.{len(parts)}", f"{place}.{len(parts) + 1}")


def _v3_block(block: Block, place: str) -> Iterator[LayerNames]:
    parts = ["expand"] if block.expands else []
    parts += ["depthwise", "gate", "project"] if block.gated else ["depthwise", "project"]
    for index, part in enumerate(parts):
        if part == "gate":
            yield LinearNames(f"{block.path}.gate.fc1", f"{place}.{index}.fc1")
            yield LinearNames(f"{block.path}.gate.fc2", f"{place}.{index}.fc2")
        else:
            yield ConvNames(f"{block.path}.{part}", f"{place}.{index}.0", f"{place}.{index}.1")
