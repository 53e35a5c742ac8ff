"""Networks that every export test needs: random, but with batch norms that do something."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from eamdeploy.networks.architectures.build import build
from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.spec import ArchSpec

NetworkMaker = Callable[..., Network]


def make_network(**fields: object) -> Network:
    """A small random network whose batch norms, biases and attentions are not at their initial values."""
    spec = ArchSpec(**{"width": 0.25, "input_px": 32, "classes": 10, "temperature": 2.0, **fields})
    network = build(spec)
    generator = torch.Generator().manual_seed(7)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            module.bias.data.normal_(0, 0.1, generator=generator)
    return network


@pytest.fixture(scope="session")
def make() -> NetworkMaker:
    return make_network


@pytest.fixture(scope="session")
def small(make: NetworkMaker) -> Network:
    """EAM MobileNetV1 x0.25 at 32 px."""
    return make()


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"
