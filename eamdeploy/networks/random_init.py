"""Checkpoints with random weights whose batch norms have seen data, so that signals keep their size through the network."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from eamdeploy.networks.architectures.build import build
from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.checkpoint import save_checkpoint
from eamdeploy.networks.spec import ArchSpec


def random_network(spec: ArchSpec) -> Network:
    """The network of ``spec`` with seeded random weights and batch norm statistics taken from one noise batch."""
    network = build(spec)
    generator = torch.Generator().manual_seed(spec.seed)
    noise = torch.randn(4, spec.in_channels, spec.input_px, spec.input_px, generator=generator)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the plain mean over batches
    network.train()
    with torch.no_grad():
        network(noise)
    for norm in norms:
        norm.momentum = 0.1
    return network.eval()


def write_random(spec: ArchSpec, out: Path) -> Path:
    """Write a random network of ``spec`` to ``out``; returns the path.

    Raises:
        UsageError: when the file cannot be written.
    """
    path = out if out.suffix == ".safetensors" else out.with_name(out.name + ".safetensors")
    grey = spec.in_channels == 1
    preprocessing = {
        "size": spec.input_px,
        "resize": None,
        "mean": [0.5] if grey else [0.485, 0.456, 0.406],
        "std": [0.5] if grey else [0.229, 0.224, 0.225],
        "channels": spec.in_channels,
        "interpolation": "bilinear",
    }
    names = [f"class {index}" for index in range(spec.classes)]
    meta = {"data": "none (random weights)"}
    save_checkpoint(path, random_network(spec), preprocessing=preprocessing, classes=names, meta=meta)
    return path
