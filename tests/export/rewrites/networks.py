"""Random networks whose attention moves as much as a test wants."""

from __future__ import annotations

import torch

from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.random_init import random_network
from eamdeploy.networks.spec import ArchSpec

# fixtures of a module run before the ones that set this; threads that wait for each other stand still on a busy machine
torch.set_num_threads(1)
PX = 16
SHAPE = (3, PX, PX)


def images(count: int = 1, seed: int = 9) -> torch.Tensor:
    """Noise of different brightness, ``(B, 3, PX, PX)``."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *SHAPE, generator=generator) + torch.randn(count, 3, 1, 1, generator=generator)


def settle(network: Network) -> Network:
    """Give the batch norms statistics of the network as it is now, so that signals keep their size."""
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean
    network.train()
    with torch.no_grad():
        network(images(16, seed=3))
    for norm in norms:
        norm.momentum = 0.1
    return network.eval()


def moving_network(spread: float, **fields: object) -> Network:
    """Each attention's scores vary over images with a standard deviation of ``spread``, layer by layer."""
    spec = ArchSpec(**{"width": 0.25, "input_px": PX, "classes": 10, **fields})
    network = random_network(spec)
    feeds = images(16, seed=3)
    for layer in network.dynamic_layers().values():
        alphas: list[torch.Tensor] = []
        hook = layer.attention.fc2.register_forward_hook(lambda *values, alphas=alphas: alphas.append(values[2]))
        with torch.no_grad():
            network(feeds)
        hook.remove()
        scores = alphas[0] - alphas[0].mean(dim=1, keepdim=True)
        layer.attention.temperature = max(1e-6, float((scores - scores.mean(dim=0)).std())) / spread
    return network
