"""Names of Keras applications and of TF-Slim, after :func:`plain_key` has made them alike.

``block_3_depthwise_BN/gamma:0``, ``expanded_conv_4/depthwise/BatchNorm/gamma``, ``MobilenetV1/Conv2d_3_pointwise/weights``:
https://github.com/keras-team/keras, keras/src/applications, and https://github.com/tensorflow/models, research/slim/nets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from eamdeploy.networks.architectures.network import Network
from eamdeploy.training.importing.names.walk import Block, ConvNames, LayerNames, LinearNames, blocks_of, has_hidden

# the last part of a name, as Keras and as Slim have it, to ours
LEAVES = {
    "kernel": "weight",
    "depthwise_kernel": "weight",
    "weights": "weight",
    "depthwise_weights": "weight",
    "gamma": "weight",
    "beta": "bias",
    "biases": "bias",
    "bias": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}

_CLASSIFIER = re.compile(r"(conv_preds|predictions|logits_conv2d_1c_1x1)$")


def plain_key(key: str) -> str:
    """``Conv_1/BatchNorm/gamma:0`` becomes ``conv_1_bn.weight``; names of other libraries are left as they are."""
    parts = re.split(r"[/.]", key.removesuffix(":0"))
    leaf = LEAVES.get(parts[-1]) if parts[-1] != "bias" or "/" in key else "bias"
    if leaf is None or len(parts) < 2:
        return key
    half = len(parts[:-1]) // 2
    # Keras files repeat a layer's name as its group's: conv1/conv1/kernel
    if half and parts[:half] == parts[half : 2 * half] and len(parts) % 2:
        parts = parts[half:]
    stem = "_".join(parts[:-1]).lower().replace("batchnorm", "bn")
    return f"{_CLASSIFIER.sub('logits', stem)}.{leaf}"


def keras_names(network: Network) -> Iterator[LayerNames]:
    """Of Keras applications' V1 and V2."""
    if network.spec.arch == "mobilenet_v1":
        yield ConvNames("stem", "conv1", "conv1_bn")
        for block in blocks_of(network):
            for part, short in (("depthwise", "dw"), ("pointwise", "pw")):
                name = f"conv_{short}_{block.index + 1}"
                yield ConvNames(f"{block.path}.{part}", name, f"{name}_bn")
        yield LinearNames("classifier", "logits")
        return
    yield ConvNames("stem", "conv1", "bn_conv1")
    for block in blocks_of(network):
        place = f"block_{block.index}" if block.index else "expanded_conv"
        yield from _block(block, place)
    yield LinearNames("classifier", "logits")


def slim_names(network: Network) -> Iterator[LayerNames]:
    """Of TF-Slim's V1, V2 and V3; Keras applications' V3 has the same."""
    if network.spec.arch == "mobilenet_v1":
        yield ConvNames("stem", "conv2d_0", "conv2d_0_bn")
        for block in blocks_of(network):
            for part in ("depthwise", "pointwise"):
                name = f"conv2d_{block.index + 1}_{part}"
                yield ConvNames(f"{block.path}.{part}", name, f"{name}_bn")
    else:
        yield ConvNames("stem", "conv", "conv_bn")
        for block in blocks_of(network):
            yield from _block(block, f"expanded_conv_{block.index}" if block.index else "expanded_conv")
        if has_hidden(network):
            yield LinearNames("head.0", "conv_2")
    yield LinearNames("classifier", "logits")


def _block(block: Block, place: str) -> Iterator[LayerNames]:
    if block.kind == "plain":
        yield ConvNames(block.path, "conv_1", "conv_1_bn")
        return
    for part in ("expand", "depthwise", "project") if block.expands else ("depthwise", "project"):
        yield ConvNames(f"{block.path}.{part}", f"{place}_{part}", f"{place}_{part}_bn")
    if block.gated:
        yield LinearNames(f"{block.path}.gate.fc1", f"{place}_squeeze_excite_conv")
        yield LinearNames(f"{block.path}.gate.fc2", f"{place}_squeeze_excite_conv_1")
