"""Run by torchrun: one step over two processes; rank 0 writes the averaged gradients."""

from __future__ import annotations

import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from eamdeploy.networks.architectures.build import build
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.training.device.parallel import make_parallel


def gradients(path: str) -> None:
    torch.set_num_threads(1)
    parallel = make_parallel()
    network = build(
        ArchSpec(width=0.25, classes=3, input_px=16)
    )  # in evaluation mode: batch norms use stored statistics
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
    wrapped, _ = parallel.setup(network, optimizer)
    network.eval()
    images = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(8) % 3
    share = slice(parallel.rank * 8 // parallel.world, (parallel.rank + 1) * 8 // parallel.world)
    parallel.backward(F.cross_entropy(wrapped(images[share]), labels[share]))
    if parallel.rank == 0:
        save_file({name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}, path)
    parallel.barrier()


gradients(sys.argv[1])
