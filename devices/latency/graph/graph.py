"""A graph as both formats can be read: operators, tensors, shapes; no weights."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor; an unknown or dynamic dimension counts as 1 (one image)."""

    name: str
    shape: tuple[int, ...]
    element_bytes: int
    constant: bool

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator under its ONNX name; `kernel` and `stride` are of convolutions and pools."""

    op: str
    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    kernel: int = 1
    stride: int = 1
    groups: int = 1

    @property
    def computed(self) -> tuple[Tensor, ...]:
        """Inputs that other operators made."""
        return tuple(t for t in self.inputs if not t.constant)

    @property
    def constants(self) -> tuple[Tensor, ...]:
        """Inputs that are stored in the file."""
        return tuple(t for t in self.inputs if t.constant)


@dataclass(frozen=True)
class OperatorGraph:
    """Operators in order of execution."""

    operators: tuple[Operator, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    channels_last: bool
    producer: dict[str, Operator] = field(default_factory=dict)
    consumers: dict[str, list[Operator]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for operator in self.operators:
            for tensor in operator.outputs:
                self.producer[tensor.name] = operator
            for tensor in operator.inputs:
                self.consumers.setdefault(tensor.name, []).append(operator)

    @property
    def input_px(self) -> int:
        """Height of the first image input; 0 where it is no image."""
        shape = self.inputs[0].shape if self.inputs else ()
        return shape[1 if self.channels_last else 2] if len(shape) == 4 else 0
