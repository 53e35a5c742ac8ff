"""From a spec to a network."""

from __future__ import annotations

from collections.abc import Callable

import torch

from eamdeploy.networks.architectures.from_layout import from_layout
from eamdeploy.networks.architectures.mobilenet_v1 import mobilenet_v1
from eamdeploy.networks.architectures.mobilenet_v2 import mobilenet_v2
from eamdeploy.networks.architectures.mobilenet_v3 import mobilenet_v3
from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.spec import ArchSpec

BUILDERS: dict[str, Callable[[ArchSpec], Network]] = {
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3_small": mobilenet_v3,
    "mobilenet_v3_large": mobilenet_v3,
}


def build(spec: ArchSpec) -> Network:
    """The network of ``spec`` with seeded random weights, in evaluation mode. The caller's random state is untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        network = BUILDERS[spec.arch](spec) if spec.layout is None else from_layout(spec, spec.layout)
        return network.eval()
