"""The state of a training run: everything the next epoch depends on, in one safetensors file that appears whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
from msgspec import Meta
from torch import Tensor, nn

from eamdeploy.base.decoding import decode
from eamdeploy.base.errors import DataError, UsageError
from eamdeploy.base.files import atomic_write_bytes

KEY = "eamdeploy-training"

_PARTS = ("weights", "momentum", "average", "ranges")


@dataclass
class _StateDocument:
    epoch: Annotated[int, Meta(ge=0, le=1_000_000)]
    history: list[dict[str, Any]]
    settings: dict[str, Any]


@dataclass
class TrainingState:
    """Weights, momentum and averages after ``epoch`` finished epochs, and what happened so far.

    Attributes:
        settings: the run's settings; a resumed run must have the same.
        ranges: of the maps, in quantization-aware training.
    """

    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)
    momentum: dict[str, Tensor] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)
    ranges: dict[str, Tensor] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the state, whole or not at all."""
        from safetensors.torch import save

        tensors = {
            f"{part}:{name}": tensor.detach().contiguous().cpu().clone()
            for part in _PARTS
            for name, tensor in getattr(self, part).items()
        }
        document = {"epoch": self.epoch, "history": self.history, "settings": self.settings}
        atomic_write_bytes(path, save(tensors, metadata={KEY: json.dumps(document)}))

    @classmethod
    def load(cls, path: Path) -> TrainingState:
        """Read a state back.

        Raises:
            DataError: when the file is none, or damaged.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                document = decode(_StateDocument, (file.metadata() or {})[KEY], where=path)
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, KeyError, UsageError) as error:
            hint = "remove it to start anew"
            raise DataError("cannot resume from the training state", where=path, why=error, hint=hint) from error
        state = cls(document.epoch, document.history, document.settings)
        for name, tensor in tensors.items():
            part, _, key = name.partition(":")
            if part not in _PARTS:
                raise DataError(
                    "the training state has an unknown part", where=path, why=name, hint="remove it to start anew"
                )
            getattr(state, part)[key] = tensor
        return state


def momentum_of(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """SGD's momentum buffers by parameter name."""
    momenta = {}
    for name, parameter in network.named_parameters():
        buffer = optimizer.state.get(parameter, {}).get("momentum_buffer")
        if buffer is not None:
            momenta[name] = buffer
    return momenta


def restore_momentum(network: nn.Module, optimizer: torch.optim.Optimizer, momentum: dict[str, Tensor]) -> None:
    """The inverse of :func:`momentum_of`."""
    for name, parameter in network.named_parameters():
        if name in momentum:
            # on the device and in the memory layout of the parameter
            optimizer.state[parameter]["momentum_buffer"] = torch.empty_like(parameter).copy_(momentum[name])
