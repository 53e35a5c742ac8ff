"""timm's names: ``blocks.2.1.conv_dw.weight``, counted by stage and by block within it.

https://github.com/huggingface/pytorch-image-models, timm/models/efficientnet.py and mobilenetv3.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from eamdeploy.networks.architectures.network import Network
from eamdeploy.training.importing.names.walk import Block, ConvNames, LayerNames, LinearNames, blocks_of, has_hidden


def timm_names(network: Network, places: Collection[str]) -> Iterator[LayerNames]:
    """Of any MobileNet; ``places`` are the prefixes of its blocks in the file, such as ``blocks.2.1``, in order."""
    yield ConvNames("stem", "conv_stem", "bn1")
    blocks = list(blocks_of(network))
    for block, place in zip(blocks, places, strict=False):
        if block.kind == "plain":
            yield ConvNames(block.path, f"{place}.conv", f"{place}.bn1")
        else:
            yield from _block(block, place)
    if len(blocks) == len(places) + 1:
        # V2's last convolution (and V1's, where it has one) lies behind the blocks
        yield ConvNames(blocks[-1].path, "conv_head", "bn2")
    if has_hidden(network):
        yield LinearNames("head.0", "conv_head")
    yield LinearNames("classifier", "classifier")


def _block(block: Block, place: str) -> Iterator[LayerNames]:
    if block.kind == "separable":
        yield ConvNames(f"{block.path}.depthwise", f"{place}.conv_dw", f"{place}.bn1")
        yield ConvNames(f"{block.path}.pointwise", f"{place}.conv_pw", f"{place}.bn2")
        return
    if block.expands:
        yield ConvNames(f"{block.path}.expand", f"{place}.conv_pw", f"{place}.bn1")
        yield ConvNames(f"{block.path}.depthwise", f"{place}.conv_dw", f"{place}.bn2")
        yield ConvNames(f"{block.path}.project", f"{place}.conv_pwl", f"{place}.bn3")
    else:
        yield ConvNames(f"{block.path}.depthwise", f"{place}.conv_dw", f"{place}.bn1")
        yield ConvNames(f"{block.path}.project", f"{place}.conv_pw", f"{place}.bn2")
    if block.gated:
        yield LinearNames(f"{block.path}.gate.fc1", f"{place}.se.conv_reduce")
        yield LinearNames(f"{block.path}.gate.fc2", f"{place}.se.conv_expand")
