"""The frame of every network: stem, blocks, global average pool, classifier."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.spec import ArchSpec


class Network(nn.Module):
    """``x: (B, C, H, W) -> scores: (B, classes)``.

    Attributes:
        spec: what it was built from.
        stem: the first convolution.
        blocks: the body, and for V2 and V3 the last 1x1 convolution.
        head: what lies between the pooled features and the classifier (V3's hidden layer; else the identity).
        classifier: the last linear layer.
        rewrites: what took the place of dynamic convolutions, by layer (:mod:`eamdeploy.networks.layers.rewritten`).
    """

    def __init__(
        self, spec: ArchSpec, stem: nn.Module, blocks: nn.Sequential, head: nn.Module, classifier: nn.Linear
    ) -> None:
        super().__init__()
        self.spec = spec
        self.stem, self.blocks, self.head, self.classifier = stem, blocks, head, classifier
        self.rewrites: dict[str, dict[str, Any]] = {}

    def forward(self, x: Tensor) -> Tensor:
        """Class scores before the softmax."""
        features = self.blocks(self.stem(x)).mean(dim=(2, 3))
        scores: Tensor = self.classifier(self.head(features))
        return scores

    def dynamic_layers(self) -> dict[str, AttentionConv2d]:
        """Every dynamic convolution by its name, in order of execution."""
        return {name: module for name, module in self.named_modules() if isinstance(module, AttentionConv2d)}

    def set_temperature(self, temperature: float) -> None:
        """Give every attention the same softmax temperature (Chen et al. 2020 anneal it in training)."""
        for layer in self.dynamic_layers().values():
            layer.attention.temperature = temperature
        # the temperature is part of the function: the spec stored with the weights must carry it
        self.spec = replace(self.spec, temperature=temperature)
