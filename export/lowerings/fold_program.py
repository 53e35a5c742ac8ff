"""Batch norms of an imported network, folded into the convolutions that they follow in its program."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from torch import nn

from eamdeploy.networks.program.instructions import CALL, Instruction, Value
from eamdeploy.networks.program.network import ProgramNetwork


def norm_pairs(network: ProgramNetwork) -> dict[str, str]:
    """Path of each convolution whose only reader is a batch norm, and that norm's path; both are called once."""
    calls = Counter(step.layer for step in network.instructions if step.operator == CALL)
    readers = Counter(name for step in network.instructions for name in step.values())
    steps_by_name = {step.name: step for step in network.instructions}
    pairs = {}
    for step in network.instructions:
        if step.operator != CALL or not isinstance(network.get_submodule(step.layer), nn.BatchNorm2d):
            continue
        source = step.args[0]
        before = steps_by_name.get(source.name) if isinstance(source, Value) else None
        if before is None or before.operator != CALL or readers[before.name] != 1:
            continue
        if calls[before.layer] == calls[step.layer] == 1:
            pairs[before.layer] = step.layer
    return pairs


def drop_norms(network: ProgramNetwork, pairs: dict[str, str]) -> None:
    """Remove the norms of ``pairs`` from the program: what read them reads their convolutions."""
    names = {step.layer: step.name for step in network.instructions if step.operator == CALL}
    renamed = {names[convolution]: names[norm] for convolution, norm in pairs.items()}
    gone = set(pairs.values())
    instructions_left: list[Instruction] = []
    for step in network.instructions:
        if step.layer in gone:
            network.set_submodule(step.layer, nn.Identity())
        else:
            # the convolution takes the name that the norm's readers know
            instructions_left.append(replace(step, name=renamed.get(step.name, step.name)))
    network.set_instructions(instructions_left)
