"""One process, or many: plain PyTorch, or Lightning Fabric's DDP when ``torchrun`` started us or float16 asks for it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from eamdeploy.base.errors import MissingDependency

# the precisions that one process needs nothing but PyTorch for; 16-mixed scales its gradients
PLAIN: dict[str, torch.dtype | None] = {"32-true": None, "bf16-mixed": torch.bfloat16}


@dataclass
class Parallel:
    """What differs between one process and several.

    Attributes:
        rank, world: this process and how many there are.
        device: where tensors live.
        mixed: the number format of autocast in plain PyTorch, or ``None``; Fabric has its own.
        fabric: Lightning Fabric, or ``None`` for plain PyTorch on one device.
    """

    rank: int = 0
    world: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    mixed: torch.dtype | None = None
    fabric: Any = None

    def setup(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Wrap network and optimizer."""
        if self.fabric is None:
            return network, optimizer
        wrapped: tuple[nn.Module, torch.optim.Optimizer] = self.fabric.setup(network, optimizer)
        return wrapped

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """The forward pass and the loss run inside this."""
        if self.mixed is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, self.mixed)

    def backward(self, loss: Tensor) -> None:
        """Back-propagate; gradients are averaged over the processes."""
        if self.fabric is None:
            loss.backward()
        else:
            self.fabric.backward(loss)

    def barrier(self) -> None:
        """Wait for the other processes."""
        if self.fabric is not None:
            self.fabric.barrier()

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the processes."""
        if self.fabric is None:
            return values
        reduced: Tensor = self.fabric.all_reduce(values, reduce_op="mean")
        return reduced


def make_parallel(precision: str = "32-true") -> Parallel:
    """The setting this process was started in.

    Args:
        precision: ``32-true``, ``bf16-mixed`` or ``16-mixed`` (Lightning's names).

    Raises:
        MissingDependency: when it takes Fabric and Fabric is not installed.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1 and precision in PLAIN:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return Parallel(device=device, mixed=PLAIN[precision])
    try:
        from lightning_fabric import Fabric
    except ModuleNotFoundError as error:
        raise MissingDependency.extra("lightning-fabric", "scale") from error
    accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    nodes = world // int(os.environ.get("LOCAL_WORLD_SIZE", str(world)))
    fabric = Fabric(
        accelerator=accelerator,
        devices=world // nodes,
        num_nodes=nodes,
        strategy="ddp" if world > 1 else "auto",
        precision=precision,  # type: ignore[arg-type]
    )
    with contextlib.redirect_stdout(None):
        fabric.launch()
    return Parallel(fabric.global_rank, fabric.world_size, fabric.device, fabric=fabric)
