"""The network that a program describes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from eamdeploy.base.errors import DataError
from eamdeploy.networks.layers.mixed_conv import MixedConv2d
from eamdeploy.networks.program.instructions import (
    CALL,
    Argument,
    BatchSize,
    Dtype,
    Instruction,
    StoredTensor,
    Value,
    decode,
    encode,
    substitute,
)
from eamdeploy.networks.program.layers import Container, build_layer, describe_layer
from eamdeploy.networks.program.operators import operator_function
from eamdeploy.networks.program.spec import ImportedSpec

INPUT = "input"


class ProgramNetwork(nn.Module):
    """``x: (B, C, H, W) -> scores: (B, classes)``, instruction by instruction.

    Attributes:
        spec: its outside.
        instructions: in order; the last one's value is the scores.
        attentions: for each mixed convolution, the path of the layer that gives its mixing weights; several convolutions
            can share one.
        one_by_one: whether the program is for one image, so that a batch is run image by image.
        rewrites: what took the place of dynamic convolutions, by layer.
    """

    def __init__(
        self,
        spec: ImportedSpec,
        layers: Mapping[str, nn.Module],
        instructions: Sequence[Instruction],
        tensors: Mapping[str, Tensor],
        attentions: Mapping[str, str],
        *,
        one_by_one: bool = False,
    ) -> None:
        super().__init__()
        self.spec, self.instructions, self.one_by_one = spec, tuple(instructions), one_by_one
        self.rewrites: dict[str, dict[str, Any]] = {}
        for path, layer in layers.items():
            _place(self, path, layer)
        self.constants = nn.ParameterDict()
        self._constant_keys = {name: f"t{index}" for index, name in enumerate(sorted(tensors))}
        for name, tensor in tensors.items():
            key = self._constant_keys[name]
            if tensor.is_floating_point():
                self.constants[key] = nn.Parameter(tensor.detach().clone(), requires_grad=False)
            else:
                self.constants.register_buffer(key, tensor.detach().clone())
        self.attentions = dict(attentions)
        self._last_use = _last_uses(self.instructions)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores of each image."""
        if self.one_by_one and x.shape[0] != 1:
            return torch.cat([self._run(x[index : index + 1]) for index in range(x.shape[0])])
        return self._run(x)

    def _run(self, x: Tensor) -> Tensor:
        values: dict[str, Any] = {INPUT: x}
        batch, kind = x.shape[0], x.dtype

        def resolve(argument: Argument) -> Any:
            if isinstance(argument, Value):
                return values[argument.name]
            if isinstance(argument, StoredTensor):
                return self.stored(argument.name)
            if isinstance(argument, BatchSize):
                return argument.images * batch + argument.plus
            if isinstance(argument, Dtype):
                torch_value = getattr(torch, argument.name)
                # a network in double precision stays there
                return kind if torch_value is torch.float32 and kind is torch.float64 else torch_value
            return argument

        for index, step in enumerate(self.instructions):
            args = [substitute(argument, resolve) for argument in step.args]
            kwargs = {key: substitute(argument, resolve) for key, argument in step.kwargs.items()}
            function: Any = (
                self.get_submodule(step.layer) if step.operator == CALL else operator_function(step.operator)
            )
            if step.layer in self.attentions and not hasattr(function, "bounds"):
                args = args[:1]  # a static convolution stands in for one that was called with its weights as well
            values[step.name] = function(*args, **kwargs)
            for name in self._last_use[index]:
                del values[name]
        scores: Tensor = values[self.instructions[-1].name]
        return scores

    def stored(self, name: str) -> Tensor:
        """A tensor that instructions read directly."""
        constant: Tensor = getattr(self.constants, self._constant_keys[name])
        return constant

    def dynamic_layers(self) -> dict[str, MixedConv2d]:
        """Every convolution with mixed kernels by its path, in order of execution."""
        called = (step.layer for step in self.instructions if step.operator == CALL)
        candidates = ((path, self.get_submodule(path)) for path in called)
        return {path: layer for path, layer in candidates if isinstance(layer, MixedConv2d)}

    def set_instructions(self, instructions: Iterable[Instruction]) -> None:
        """Run other instructions over the same layers from now on."""
        self.instructions = tuple(instructions)
        self._last_use = _last_uses(self.instructions)

    def to_document(self) -> dict[str, Any]:
        """The program as JSON; the weights are the state dict."""
        return {
            "one_by_one": self.one_by_one,
            "tensors": {
                key: {"name": name, "shape": list(tensor.shape), "dtype": str(tensor.dtype).removeprefix("torch.")}
                for name, key in self._constant_keys.items()
                for tensor in (self.stored(name),)
            },
            "layers": dict(_described(self)),
            "attentions": self.attentions,
            "instructions": [encode(step) for step in self.instructions],
        }


def build_program(document: Mapping[str, Any], spec: ImportedSpec) -> ProgramNetwork:
    """The network of a stored program, its weights yet to be loaded.

    Raises:
        DataError: when the program is damaged or asks for what no program may.
    """
    try:
        layers = {str(path): build_layer(entry, str(path)) for path, entry in document["layers"].items()}
        instructions = [decode(entry) for entry in document["instructions"]]
        tensors = {
            str(entry["name"]): torch.zeros(tuple(entry["shape"]), dtype=_dtype(entry["dtype"]))
            for entry in document["tensors"].values()
        }
        attentions = {str(path): str(source) for path, source in document["attentions"].items()}
        _check(instructions, layers)
        return ProgramNetwork(
            spec, layers, instructions, tensors, attentions, one_by_one=bool(document["one_by_one"])
        ).eval()
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise DataError("the checkpoint's program is damaged", why=error) from error


def _dtype(name: Any) -> torch.dtype:
    dtype = getattr(torch, str(name), None)
    if not isinstance(dtype, torch.dtype):
        raise DataError(f"the checkpoint's program names a number format '{name}' that does not exist")
    return dtype


def _check(instructions: Sequence[Instruction], layers: Mapping[str, Any]) -> None:
    known_values = {INPUT}
    if not instructions:
        raise DataError("the checkpoint's program has no instructions")
    for step in instructions:
        if missing := set(step.values()) - known_values:
            raise DataError(f"an instruction reads '{min(missing)}', which none before it gives", where=step.name)
        if step.operator == CALL and step.layer not in layers:
            raise DataError(f"an instruction calls the layer '{step.layer}', which is not there", where=step.name)
        if step.operator != CALL:
            operator_function(step.operator)
        known_values.add(step.name)


def _place(root: nn.Module, path: str, layer: nn.Module) -> None:
    parent = root
    *above, last = path.split(".")
    for name in above:
        if name not in parent._modules:
            parent.add_module(name, Container())
        parent = parent.get_submodule(name)
    parent.add_module(last, layer)


def _described(network: ProgramNetwork) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, layer in network.named_modules():
        if path and not isinstance(layer, (Container, nn.ParameterDict)):
            yield path, describe_layer(layer)


def _last_uses(instructions: Sequence[Instruction]) -> tuple[tuple[str, ...], ...]:
    """By instruction, the values that nothing after it reads."""
    last: dict[str, int] = {}
    for index, step in enumerate(instructions):
        for name in step.values():
            last[name] = index
    ends: list[list[str]] = [[] for _ in instructions]
    for name, index in last.items():
        ends[index].append(name)
    return tuple(tuple(names) for names in ends)
