"""Constants of a .tflite file are given to the layers whose values they hold, however the converter arranged them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from export.tflite.constants import constant_paths


def file_with(*values: torch.Tensor) -> Any:
    """What is asked of a .tflite file: its constants."""
    buffers = [SimpleNamespace(data=None)]
    buffers += [SimpleNamespace(data=np.frombuffer(value.numpy().tobytes(), np.uint8)) for value in values]
    tensors = [SimpleNamespace(type=0, buffer=index) for index in range(len(buffers))]
    return SimpleNamespace(buffers=buffers, subgraphs=[SimpleNamespace(tensors=tensors)])


def test_a_bank_is_found_transposed_and_nothing_by_chance() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(8, 12), nn.Linear(8, 12), nn.Linear(4, 1))
    twin = nn.Sequential(*network.children(), nn.Linear(8, 12))
    twin[3].weight = nn.Parameter(network[0].weight.detach().clone())
    first, second = network[0].weight.detach(), network[1].weight.detach()
    file = file_with(first.T.contiguous(), second.reshape(4, 24), first / 6, network[2].weight.detach())
    assert constant_paths(file, network) == {1: "0", 2: "1"}
    assert constant_paths(file, twin) == {2: "1"}  # two layers hold the first's values
