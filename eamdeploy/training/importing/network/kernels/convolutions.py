"""Convolutions of a traced graph, in one form whatever operator they are written with; 1-D ones as 2-D of height 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import fx

from eamdeploy.training.importing.network.tracing.trace import Traced

Pair = tuple[int, int]


@dataclass(frozen=True)
class Convolution:
    """A convolution as it stands in the graph; pairs are (vertical, horizontal)."""

    node: fx.Node
    input: fx.Node
    kernel: fx.Node
    bias: fx.Node | None
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int
    flat: bool  # a 1-D convolution

    def geometry(self, groups: int) -> dict[str, Any]:
        """Keywords of a layer with so many groups."""
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "groups": groups}


_NAMES = ("conv2d.default", "conv1d.default", "conv2d.padding", "conv1d.padding", "convolution.default")


def read_convolution(node: fx.Node, name: str, traced: Traced) -> Convolution | None:
    """The convolution that ``node`` is, or ``None``."""
    if name not in _NAMES:
        return None
    arguments = dict(enumerate(node.args))
    named = node.kwargs
    x, kernel = arguments[0], arguments[1]
    if not isinstance(x, fx.Node) or not isinstance(kernel, fx.Node):
        return None
    bias = arguments.get(2, named.get("bias"))
    flat = len(traced.shapes[kernel.name]) == 3
    if len(traced.shapes[kernel.name]) not in (3, 4):
        return None
    stride = _pair(arguments.get(3, named.get("stride", 1)), flat, 1)
    dilation = _pair(arguments.get(5, named.get("dilation", 1)), flat, 1)
    padding = arguments.get(4, named.get("padding", 0))
    groups = arguments.get(6, named.get("groups", 1))
    if name == "convolution.default":
        if arguments.get(6):  # transposed
            return None
        groups = arguments.get(8, 1)
    taps = traced.shapes[kernel.name][2:]
    sides = _padding(padding, flat, taps if not flat else (1, *taps), dilation)
    if sides is None or not isinstance(groups, int):
        return None
    return Convolution(
        node,
        x,
        kernel=kernel,
        bias=bias if isinstance(bias, fx.Node) else None,
        stride=stride,
        padding=sides,
        dilation=dilation,
        groups=groups,
        flat=flat,
    )


def _pair(value: Any, flat: bool, outer: int) -> Pair:
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    if flat:
        return outer, int(values[0])
    return (int(values[0]), int(values[-1]))


def _padding(padding: Any, flat: bool, taps: tuple[int, ...], dilation: Pair) -> Pair | None:
    if padding == "valid":
        return 0, 0
    if padding == "same":
        total = [step * (size - 1) for step, size in zip(dilation, taps, strict=True)]
        return None if any(size % 2 for size in total) else (total[0] // 2, total[1] // 2)
    return _pair(padding, flat, 0)
