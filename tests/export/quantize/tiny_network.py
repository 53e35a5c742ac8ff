"""A small dynamic network, trained for a moment on real images, and its float artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eamdeploy.data import embedded_sample
from eamdeploy.data.dataset import Subset, balanced_order
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.inference.model_card import ModelCard
from eamdeploy.networks.layers.attention import Attention
from eamdeploy.networks.layers.blocks import ConvBnAct
from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.layers.selection import StaticSelection
from export.exporter.reference import convolution_layers
from export.exporter.registry import get_exporter
from export.exporter.request import ExportRequest
from export.planning.lower import lower
from export.planning.plan import plan_network
from export.planning.target import Target

PREPROCESSING = Preprocessing(size=28, mean=(0.286,), std=(0.353,), channels=1)
SHAPE = (1, 28, 28)


def halves() -> tuple[Subset, Subset]:
    """Images to calibrate on and others to check on, every class in both."""
    data = embedded_sample()
    order = balanced_order([data.label(index) for index in range(len(data))])
    return Subset(data, order[:100]), Subset(data, order[100:])


def dynamic(channels: int, out: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> ConvBnAct:
    kernels = min(4, channels)
    attention = Attention(
        channels,
        4,
        selection=None
        if kernels == channels
        else StaticSelection(list(range(0, channels, channels // kernels))[:kernels]),
        selected=kernels,
        hidden=10,
        pool="avg",
        pool_size=5,
        temperature=2.0,
    )
    conv = AttentionConv2d(
        channels, out, kernel, attention=attention, stride=stride, padding=(kernel - 1) // 2, groups=groups
    )
    return ConvBnAct(conv, nn.BatchNorm2d(out), nn.ReLU())


class TinyNet(nn.Module):
    """A dynamic stem, depthwise and two pointwise layers, a residual, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = dynamic(1, 8, kernel=3, stride=2)
        self.depthwise = dynamic(8, 8, kernel=3, groups=8)
        self.pointwise = dynamic(8, 64)
        self.project = dynamic(64, 64)
        self.classifier = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        y = self.pointwise(self.depthwise(self.stem(x)))
        y = y + self.project(y)
        return self.classifier(y.mean(dim=(2, 3)))


def images(count: int = 64) -> np.ndarray:
    data = embedded_sample()
    return PREPROCESSING.apply_batch(data.image(index) for index in range(count))


@dataclass(frozen=True)
class TinyFiles:
    network: TinyNet
    card: ModelCard
    paths: dict[str, Path]


def export_tiny(network: nn.Module, folder: Path, fmt: str, batch: int = 1) -> Path:
    """The float artifact, lowered for int8, with the metadata an export writes."""
    runtime = {"onnx": "onnxruntime", "tflite": "litert"}[fmt]
    plan = plan_network(network, Target(runtime, precision="int8", batch=batch), SHAPE)
    lowered = lower(network, plan)
    exporter = get_exporter(fmt)
    path = folder / f"tiny.{fmt}"
    request = ExportRequest(SHAPE, batch, layers=convolution_layers(lowered), simplify=False)
    exported = exporter(lowered, path, request)
    metadata: dict[str, Any] = {
        "schema_version": 1,
        "name": "tiny",
        "format": fmt,
        "precision": "fp32",
        "architecture": {},
        "classes": list(embedded_sample().classes),
        "preprocessing": PREPROCESSING.to_dict(),
        "plan": plan.to_list(),
        "target": plan.target.to_dict(),
        "tensors": {kind: dict(group) for kind, group in exported.tensors.items()},
        "checkpoint_sha256": "0" * 64,
        "input_layout": exporter.input_layout,
    }
    exporter.attach_metadata(path, metadata)
    return path


def train_tiny(steps: int = 120) -> TinyNet:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = TinyNet()
    data = embedded_sample()
    x = torch.from_numpy(images(len(data)))
    labels = torch.tensor([data.label(index) for index in range(len(data))])
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    for step in range(steps):
        rows = torch.arange(step * 32, step * 32 + 32) % len(data)
        optimizer.zero_grad()
        F.cross_entropy(network(x[rows]), labels[rows]).backward()
        optimizer.step()
    return network.eval()
