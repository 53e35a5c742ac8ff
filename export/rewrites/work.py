"""What a layer costs in a given form: its work, counted, times what a unit of it costs on the target.

The prices of latency are fitted to single layers measured at batch 1 on one x86-64 core; those of other machines are
higher by a common factor, which orders the choices alike. They guide a search whose result is then measured as a whole;
nobody is shown them as a measurement.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.layers.rewritten import COLLAPSE, LOW_RANK, MEAN_RESIDUAL
from export.lowerings.base import LayerSite
from export.planning.target import Target
from export.rewrites.choice import EXACT, RewriteChoice
from export.rewrites.mean_residual import BYTES

OBJECTIVES = ("latency", "size", "instructions")
# operators of a lowered attention: channels, pooling, two linear layers, their activation, softmax, and their reshapes
ATTENTION_OPERATORS = 10


@dataclass(frozen=True)
class Work:
    """Counts per image.

    Attributes:
        dense: multiplications of dense convolutions.
        depthwise: of grouped convolutions with constant kernels, which have a fast path.
        slow_depthwise: of grouped convolutions with computed kernels, which do not.
        mixed: elements of the bank that are mixed into a kernel.
        elements: results of elementwise operators.
        operators: launched.
        stored: bytes in the file.
    """

    dense: float = 0
    depthwise: float = 0
    slow_depthwise: float = 0
    mixed: float = 0
    elements: float = 0
    operators: float = 0
    stored: float = 0


# Nanoseconds per unit, in the order of the fields of Work. Those of ncnn and MNN are instructions of a unit counted on an emulated
# Cortex-A72 (devices/latency/data/instructions.json), at 0.075 ns each, which is what the fitted prices of dense convolutions
# come to; the price of mixing, which is reading the bank from memory, is the same for all.
_LATENCY_NS = {
    "onnxruntime": (0.025, 0.05, 0.2, 0.13, 0.4, 2500.0, 0.0),
    "litert": (0.024, 0.045, 0.14, 0.15, 0.4, 1200.0, 0.0),
    "ncnn": (0.021, 0.127, 0.128, 0.14, 0.088, 1200.0, 0.0),
    "mnn": (0.022, 0.088, 0.092, 0.14, 0.056, 420.0, 0.0),
}
# aarch64: fitted to single layers counted on an emulated Cortex-A72 (benchmarks/export/layers/prices.py)
_INSTRUCTIONS = {
    "onnxruntime": (0.364, 1.84, 2.0, 0.434, 2.63, 24100.0, 0.0),
    "litert": (0.389, 0.791, 1.73, 1.74, 2.34, 0.0, 0.0),
    "ncnn": (0.344, 0.678, 0.91, 1.74, 1.39, 11200.0, 0.0),
    "mnn": (0.323, 0.86, 1.19, 1.79, 2.21, 6110.0, 0.0),
}
_BYTES = (0.0, 0.0, 0.0, 0.0, 0.0, 150.0, 1.0)


def layer_work(site: LayerSite, choice: RewriteChoice, lowering: str) -> Work:
    """The work of a layer in the form ``choice``; ``lowering`` is what the exact form would be lowered to."""
    layer = site.layer
    positions, kernel = math.prod(site.output_hw), layer.bank[0].numel()
    grouped = layer.groups > 1
    macs = float(kernel * positions)
    static = Work(0 if grouped else macs, macs if grouped else 0, operators=1, stored=4 * kernel)
    if choice.kind == COLLAPSE:
        return static
    weights = inputs = 0
    if isinstance(layer, AttentionConv2d):
        weights = sum(parameter.numel() for parameter in layer.attention.parameters())
        inputs = layer.attention.selected * math.prod(site.input_hw)
    shared = Work(dense=weights, elements=inputs, operators=ATTENTION_OPERATORS, stored=4 * weights)
    if choice.kind == LOW_RANK:
        return _sum(static, shared, _low_rank(site, choice.rank or 1, macs, positions))
    bank: float = layer.kernels * kernel
    if choice.kind != MEAN_RESIDUAL and lowering in {"experts", "inputs", "taps"}:
        many = Work(
            dense=0 if grouped else macs * layer.kernels,
            depthwise=macs * layer.kernels if grouped else 0,
            elements=2 * layer.kernels * layer.out_channels * positions,
            operators=3 * layer.kernels,
            stored=4 * bank,
        )
        return _sum(shared, many)
    stored = 4.0 * bank
    if choice.kind == MEAN_RESIDUAL:
        rank = choice.rank or layer.kernels - 1
        bank = (1 + rank) * kernel
        stored = kernel * (4 + rank * BYTES[choice.storage or "fp32"])
    mixed = Work(0 if grouped else macs, 0, macs if grouped else 0, mixed=bank, operators=3, stored=stored)
    return _sum(shared, mixed)


def _low_rank(site: LayerSite, rank: int, macs: float, positions: int) -> Work:
    layer = site.layer
    outputs = layer.out_channels * positions
    if layer.groups > 1:
        stored = 4 * rank * layer.bank[0].numel()
        return Work(depthwise=rank * macs, elements=2 * rank * outputs, operators=3 * rank + 1, stored=stored)
    each = layer.in_channels * math.prod(layer.kernel_size) + layer.out_channels
    return Work(dense=rank * each * positions, elements=rank * positions + outputs, operators=5, stored=4 * rank * each)


def _sum(*parts: Work) -> Work:
    return Work(*(sum(values) for values in zip(*(astuple(part) for part in parts), strict=True)))


def cost(site: LayerSite, choice: RewriteChoice, lowering: str, target: Target, minimize: str) -> float:
    """Estimated milliseconds, or bytes, or instructions of a layer in the form ``choice``."""
    counts = astuple(layer_work(site, choice, lowering))
    if minimize == "latency":
        prices = tuple(price / 1e6 for price in _LATENCY_NS[target.runtime])
    else:
        prices = _BYTES if minimize == "size" else _INSTRUCTIONS[target.runtime]
    return float(sum(count * price for count, price in zip(counts, prices, strict=True)))


def exact_cost(site: LayerSite, lowering: str, target: Target, minimize: str) -> float:
    """The same of the layer as it is."""
    return cost(site, RewriteChoice(EXACT), lowering, target, minimize)
