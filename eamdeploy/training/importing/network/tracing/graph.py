"""From a module to a program, proven."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eamdeploy.base.errors import DataError, EamdeployError, ParityError
from eamdeploy.base.progress import Progress
from eamdeploy.networks.program.network import ProgramNetwork
from eamdeploy.networks.program.spec import ImportedSpec
from eamdeploy.training.importing.network.proof import BatchDependence, Proof, compare, raise_unless_proven
from eamdeploy.training.importing.network.recognise import FoundLayer, Recognised, recognise
from eamdeploy.training.importing.network.tracing.aliasing import needs_functional_form
from eamdeploy.training.importing.network.tracing.trace import Traced, trace


@dataclass(frozen=True)
class RewrittenNetwork:
    """A module as a program.

    Attributes:
        network: the program.
        layers: the dynamic convolutions that were found.
        proof: its comparison with the module.
        one_by_one: why it runs image by image, or empty.
    """

    network: ProgramNetwork
    layers: tuple[FoundLayer, ...]
    proof: Proof
    one_by_one: str = ""


def rewrite_module(
    module: nn.Module, images: Tensor, name: str, progress: Progress, *, original: nn.Module | None = None
) -> RewrittenNetwork:
    """Trace, rewrite and prove ``module`` on ``images: (3, C, H, W)``.

    A program for any batch is tried first; one for single images, which a batch runs through one by one, is the rest.
    ``original`` is what it is compared with, where ``module`` was adapted.

    Raises:
        DataError: when it cannot be traced, or has no form as a program.
        ParityError: when the program is not the same function.
    """
    progress.stage("tracing the network at two batch sizes")
    try:
        return _rewrite(module, original or module, images, name, progress)
    except BatchDependence:
        raise  # whatever the program
    except EamdeployError as error:
        first = error
    progress.stage("tracing the network at one image")
    try:
        rewritten = _rewrite(module, original or module, images, name, progress, single=True)
    except (ParityError, BatchDependence):
        raise first from None
    return RewrittenNetwork(rewritten.network, rewritten.layers, rewritten.proof, str(first))


def _rewrite(
    module: nn.Module, original: nn.Module, images: Tensor, name: str, progress: Progress, *, single: bool = False
) -> RewrittenNetwork:
    traced, other = _traces(module, images, single=single)
    shape = traced.shapes[traced.output.name]
    if len(shape) != 2 or shape[0] != traced.batch:
        raise DataError(
            f"the network gives {'x'.join(map(str, shape))} for {traced.batch} images",
            why="a classifier gives a row of scores for each image",
            hint="let the factory wrap it in a module that returns (batch, classes)",
        )
    progress.stage("looking for dynamic convolutions")
    result = recognise(traced, other)
    network = _network(result, images, shape[1], name, single=single)
    progress.stage("proving it equal in float64")
    proof = compare(original, network, images)
    raise_unless_proven(proof)
    return RewrittenNetwork(network.float(), tuple(result.layers), proof)


def _traces(module: nn.Module, images: Tensor, *, single: bool) -> tuple[Traced, Traced | None]:
    for functional in (False, True):
        first = trace(module, images[: 1 if single else 2], functional=functional)
        if functional or not needs_functional_form(first):
            other = None if single else trace(module, images[:3], functional=functional)
            break
    if other is not None and [str(node.target) for node in first.nodes] != [str(node.target) for node in other.nodes]:
        raise DataError(
            "the network's graph is another one at another batch size",
            why="it goes through the images in a Python loop",
        )
    return first, other


def _network(result: Recognised, images: Tensor, classes: int, name: str, *, single: bool) -> ProgramNetwork:
    emitter = result.emitter
    instructions = emitter.finish()
    result.layers[:] = [layer for layer in result.layers if layer.path in emitter.layers]
    channels, height, width = (int(size) for size in images.shape[1:])
    dynamic = sum(layer.form == "mixed" for layer in result.layers)
    spec = ImportedSpec(name, (channels, height, width), classes, dynamic)
    with torch.no_grad():
        return ProgramNetwork(
            spec, emitter.layers, instructions, emitter.tensors, emitter.attentions, one_by_one=single
        ).eval()
