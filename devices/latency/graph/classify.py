"""From graph operators to operator records: what each costs, and which part of the network it belongs to.

Decided by structure: a product whose result becomes a convolution's weight is an aggregation, whatever its name. Names
(`LAYER/…`, `LAYER.attention…`, as the exporter writes them) say which layer an operator belongs to and which are
attention.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from devices.latency.graph.graph import Operator, OperatorGraph, Tensor
from devices.latency.graph.operator_sets import (
    FREE,
    FUSED_ACTIVATIONS,
    HEAVY,
    MOVEMENT,
    PASS_THROUGH,
    POOLS,
    PRODUCTS,
    QUANTIZERS,
)
from devices.latency.graph.records import OperatorRecord


def classify(graph: OperatorGraph, dynamic_layers: Iterable[str] = ()) -> tuple[OperatorRecord, ...]:
    """Records of all operators that cost time.

    Args:
        graph: of the artifact.
        dynamic_layers: paths of layers with a computed kernel, from the artifact's metadata; may be empty.
    """
    layers = sorted(dynamic_layers, key=len, reverse=True)
    kernels = _computed_kernels(graph)
    records = []
    for operator in graph.operators:
        record = _record(graph, operator, kernels)
        if record is not None:
            records.append(_placed(record, operator, layers, kernels))
    return tuple(records)


def _computed_kernels(graph: OperatorGraph) -> frozenset[str]:
    """Names of tensors that become, after reshapes, the weight of a convolution or of a product at many positions."""
    kernels: set[str] = set()
    for operator in graph.operators:
        if operator.op == "Conv":
            operands = operator.computed[1:2] if operator.inputs[1] in operator.computed else ()
        elif operator.op in PRODUCTS and len(operator.computed) >= 2:
            operands = operator.computed[:2]
        else:
            continue
        for operand in operands:
            chain = _back_through(graph, operand)
            # of two computed operands the kernel is the one that comes from alpha times a bank
            if operator.op == "Conv" or _is_bank_product(graph, chain[-1]):
                kernels.update(tensor.name for tensor in chain)
    return frozenset(kernels)


def _back_through(graph: OperatorGraph, tensor: Tensor) -> list[Tensor]:
    """`tensor` and what it was before reshapes, transpositions and quantizers."""
    chain = [tensor]
    while (maker := graph.producer.get(chain[-1].name)) is not None and maker.op in PASS_THROUGH and maker.computed:
        chain.append(maker.computed[0])
    return chain


def _is_bank_product(graph: OperatorGraph, tensor: Tensor) -> bool:
    maker = graph.producer.get(tensor.name)
    if maker is None or maker.op not in PRODUCTS or not tensor.shape:
        return False
    return tensor.size == tensor.shape[-1] and any(_effective_constant(graph, t) for t in maker.inputs[:2])


def _effective_constant(graph: OperatorGraph, tensor: Tensor) -> bool:
    """Stored in the file, or a quantized constant on its way through a DequantizeLinear."""
    if tensor.constant:
        return True
    maker = graph.producer.get(tensor.name)
    return (
        maker is not None
        and (maker.op in QUANTIZERS or maker.op in FREE)
        and bool(maker.inputs)
        and _effective_constant(graph, maker.inputs[0])
    )


def _element_bytes(graph: OperatorGraph, operator: Operator) -> int:
    """4 for float arithmetic, 1 for int8: what an activation was before the DequantizeLinear that feeds it."""
    for tensor in operator.inputs:
        if _effective_constant(graph, tensor):
            continue
        maker = graph.producer.get(tensor.name)
        if maker is not None and maker.op == "DequantizeLinear":
            followers = [c.op for t in operator.outputs for c in graph.consumers.get(t.name, [])]
            if "QuantizeLinear" in followers or any(f in FUSED_ACTIVATIONS for f in followers):
                return maker.inputs[0].element_bytes
            return 4
        # fp16 is a storage format on these CPUs
        return 1 if tensor.element_bytes == 1 else 4
    return 4


def _record(graph: OperatorGraph, operator: Operator, kernels: frozenset[str]) -> OperatorRecord | None:
    op = operator.op
    if op in FREE or not operator.outputs:
        return None
    if (
        op in QUANTIZERS
        and graph.channels_last
        and operator.computed
        and not _effective_constant(graph, operator.inputs[0])
    ):
        # TFLite runs each; ONNX's pairs disappear into their neighbours, except at the edge of the network
        moved = operator.computed[0].size
        return OperatorRecord(op, "quantizer", inputs=moved, outputs=moved, element_bytes=1)
    if op in QUANTIZERS and not (operator.computed and _at_edge(graph, operator)):
        return None
    if op in FUSED_ACTIVATIONS and _follows_heavy(graph, operator):
        return None
    if op == "Pad" and _feeds_convolutions(graph, operator):
        return None  # runtimes pad inside the convolution
    if all(_effective_constant(graph, t) for t in operator.inputs):
        return None  # computed once, when the file is loaded
    size = _element_bytes(graph, operator)
    out = operator.outputs[0]
    if op == "Conv":
        return _convolution(graph, operator, size)
    if op in PRODUCTS:
        return _product(graph, operator, size, kernels)
    inputs = sum(t.size for t in operator.inputs if not _effective_constant(graph, t))
    kind = "movement" if op in MOVEMENT else "pool" if op in POOLS else "other" if op == "LRN" else "elementwise"
    if op in ("Slice", "Gather", "Split", "GatherND"):
        inputs = sum(t.size for t in operator.outputs)  # only what is taken is read
    kernel = operator.kernel
    if kind == "pool" and op not in ("AveragePool", "MaxPool"):
        kernel = max(1, inputs // max(1, out.size))
    pixels = _pixels(graph, out)
    return OperatorRecord(
        op,
        kind,
        inputs=inputs,
        outputs=sum(t.size for t in operator.outputs),
        element_bytes=size,
        kernel=kernel,
        stride=operator.stride,
        pixels=pixels,
        channels_out=max(1, out.size // pixels),
    )


def _feeds_convolutions(graph: OperatorGraph, operator: Operator) -> bool:
    """Whether all that reads the operator is a convolution, at once or behind a quantizer."""
    readers = graph.consumers.get(operator.outputs[0].name, [])
    return all(
        r.op == "Conv" or (r.op in QUANTIZERS and bool(r.outputs) and _feeds_convolutions(graph, r)) for r in readers
    )


def _at_edge(graph: OperatorGraph, operator: Operator) -> bool:
    ends = {t.name for t in (*graph.inputs, *graph.outputs)}
    return any(t.name in ends for t in (*operator.inputs, *operator.outputs))


def _follows_heavy(graph: OperatorGraph, operator: Operator) -> bool:
    maker = graph.producer.get(operator.computed[0].name) if operator.computed else None
    while maker is not None and maker.op in QUANTIZERS and maker.computed:
        maker = graph.producer.get(maker.computed[0].name)
    return maker is not None and (maker.op in HEAVY or maker.op in FUSED_ACTIVATIONS)


def _pixels(graph: OperatorGraph, tensor: Tensor) -> int:
    if len(tensor.shape) != 4:
        return 1
    return tensor.shape[1] * tensor.shape[2] if graph.channels_last else tensor.shape[2] * tensor.shape[3]


def _convolution(graph: OperatorGraph, operator: Operator, size: int) -> OperatorRecord:
    image, weight, out = operator.inputs[0], operator.inputs[1], operator.outputs[0]
    channels_in = image.shape[3 if graph.channels_last else 1]
    channels_out = out.shape[3 if graph.channels_last else 1]
    depth = channels_in // operator.groups
    if operator.groups == 1:
        kind = "pointwise" if operator.kernel == 1 else "full"
    else:
        kind = "depthwise" if operator.groups == channels_in and depth == 1 else "grouped"
    inputs = image.size
    maker = graph.producer.get(image.name)
    if maker is not None and maker.op == "Pad" and maker.computed:
        inputs = maker.computed[0].size
    return OperatorRecord(
        "Conv",
        kind,
        part="depthwise" if kind == "depthwise" else "convolution",
        macs=out.size * depth * operator.kernel,
        weights=weight.size + channels_out,
        inputs=inputs,
        outputs=out.size,
        element_bytes=size,
        kernel=operator.kernel,
        stride=operator.stride,
        pixels=_pixels(graph, out),
        channels_in=depth,
        channels_out=channels_out,
        computed_kernel=not _effective_constant(graph, weight),
    )


def _product(graph: OperatorGraph, operator: Operator, size: int, kernels: frozenset[str]) -> OperatorRecord:
    first, second = operator.inputs[:2]
    out = operator.outputs[0]
    stored = [t for t in (first, second) if _effective_constant(graph, t)]
    variable_inputs = [t for t in (first, second) if not _effective_constant(graph, t)]
    columns = out.shape[-1] if out.shape else 1
    rows = max(1, out.size // max(1, columns))
    inner = (
        max(1, first.size * columns // max(1, out.size))
        if first in variable_inputs or not stored
        else max(1, variable_inputs[0].size // max(1, columns))
    )
    if not stored and len(first.shape) >= 2:
        inner = first.shape[-1]
    macs = out.size * inner
    weights = sum(t.size for t in stored)
    if any(t.name in kernels for t in operator.outputs):
        kind, part = "aggregation", "aggregation"
    elif not stored:
        kind, part = "matmul", "convolution"
    elif rows == 1:
        kind, part = "fc", "classifier"
    else:
        kind, part = "pointwise", "convolution"
    if graph.channels_last and any(t.element_bytes == 1 for t in stored):
        size = 1  # TFLite quantizes the float input of a product with int8 weights on the way, and computes in int8
    return OperatorRecord(
        operator.op,
        kind,
        part=part,
        macs=macs,
        weights=weights,
        inputs=sum(t.size for t in variable_inputs),
        outputs=out.size,
        element_bytes=size,
        pixels=rows,
        channels_in=inner,
        channels_out=columns,
    )


def _placed(record: OperatorRecord, operator: Operator, layers: list[str], kernels: frozenset[str]) -> OperatorRecord:
    path = (operator.name or operator.outputs[0].name).rpartition("/")[0]
    if record.kind == "quantizer":
        return replace(record, layer=path)
    layer = next((path_above for path_above in layers if path == path_above or path.startswith(path_above + ".")), None)
    attention = ".attention" in f".{path}."[:-1] and (layer is not None or ".conv.attention" in f".{path}")
    if attention:
        owner = layer or path.partition(".attention")[0]
        return replace(record, kind="attention", part="attention", layer=owner)
    if layer is not None and record.kind == "fc":
        # alpha's product with the bank where its result is no convolution's weight: per-column scales, shifted sums
        record = replace(record, kind="aggregation", part="aggregation")
    elif layer is not None and record.part == "other":
        makes_kernel = any(t.name in kernels for t in operator.outputs)
        record = replace(
            record,
            part="aggregation"
            if makes_kernel or ".bank" in path
            else "depthwise"
            if "depthwise" in layer
            else "convolution",
        )
    return replace(record, layer=layer or path)
