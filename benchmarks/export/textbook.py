"""How dynamic convolutions are usually exported: the batch folded into the groups of one convolution, and adaptive pooling.

This is the form of the reference implementations of dynamic convolution (Chen et al. 2020 and its reimplementations): what
one gets by handing such a network to ``torch.onnx.export`` as it is.
"""

from __future__ import annotations

import copy
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.layers.attention import Attention
from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from export.exporter.request import ExportRequest
from export.onnx.exporter import OnnxExporter


class TextbookAttention(nn.Module):
    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.inner = attention

    def forward(self, x: Tensor) -> Tensor:
        attention = self.inner
        features = x if attention.selection is None else attention.selection(x)
        pooled = F.adaptive_avg_pool2d(features, attention.pool_size).flatten(1)
        return torch.softmax(attention.fc2(F.relu(attention.fc1(pooled))) / attention.temperature, dim=1)


class TextbookConv(nn.Module):
    def __init__(self, layer: AttentionConv2d) -> None:
        super().__init__()
        self.layer = layer
        self.attention = TextbookAttention(layer.attention)

    def forward(self, x: Tensor) -> Tensor:
        layer = self.layer
        batch, _, height, width = x.shape
        weight = (self.attention(x) @ layer.bank.flatten(1)).view(-1, *layer.bank.shape[2:])
        y = F.conv2d(
            x.reshape(1, -1, height, width),
            weight,
            None,
            layer.stride,
            layer.padding,
            layer.dilation,
            groups=batch * layer.groups,
        )
        return y.view(batch, layer.out_channels, y.shape[2], y.shape[3])


def textbook(network: Network) -> nn.Module:
    """An equal copy in the textbook form; batch norms stay where they are."""
    copied = copy.deepcopy(network)
    for name, layer in copied.dynamic_layers().items():
        copied.set_submodule(name, TextbookConv(layer))
    return copied.eval()


def export_textbook(network: Network, path: Path, input_px: int) -> None:
    """``torch.onnx.export`` of it, with nothing of ours but the call."""
    OnnxExporter()(textbook(network), path, ExportRequest((3, input_px, input_px), simplify=False))
