"""Computed kernels in int8: mixed in integers, and multiplied without being rearranged again for every image.

The bank is stored as int8 in units of the guaranteed scale of its output channel (:mod:`export.quantize.scales`), the mixing
weights as ``round(255 alpha)``. The product of the two *is* the int8 kernel, so that runtimes aggregate in integers, read a
quarter of the bytes and never see a float kernel. One step is spent on the rounding of alpha, so that even then no element can
exceed 127.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from export.onnx.graph import OnnxGraph, attribute
from export.quantize.bank_parts import cut, diagonal, parts_for
from export.quantize.onnx.emit import Emitter
from export.quantize.onnx.units import OnnxBank, OnnxUnit
from export.quantize.scales import Affine, bank_scales, quantize_symmetric


def is_product(graph: OnnxGraph, unit: OnnxUnit) -> bool:
    """Whether the layer is one matrix product over the pixels of one image: 1x1, no stride, no groups, a map in and out."""
    node, (source, *_) = unit.node, unit.inputs
    shape = graph.shape(source)
    return (
        unit.bank is not None
        and unit.bank.gate is None
        and unit.output is not None
        and shape is not None
        and len(shape) == 4
        and shape[0] == 1
        and len(node.input) > 2  # else the product has no place for a bias
        and attribute(node, "group", 1) == 1
        and all(size == 1 for size in attribute(node, "kernel_shape", [0]))
        and all(size == 1 for size in attribute(node, "strides", [1]))
        and not any(attribute(node, "pads", [0]))
    )


def mix(
    emitter: Emitter, layer: str, bank: OnnxBank, *, alpha: str, gate: str | None, machine: str, product: bool
) -> npt.NDArray[np.float32]:
    """Emit the computed kernel as int8 codes, ``layer/kernel/dq``; returns their scales, ``(O,)``.

    A ``gate`` on the taps multiplies the sums before they are rounded: it is in the scale, as the largest it can be.
    ``product`` has it as ``(C, O)``, what a matrix product of pixels reads; else it is as the convolution wants it.
    """
    graph = emitter.graph
    values = graph.array(bank.name)
    kernels = values.shape[0]
    shape = [int(size) for size in graph.array(bank.reshape.input[1])]
    by_channel = values.reshape(kernels, shape[0], -1)
    scales = bank_scales(by_channel)
    stored = quantize_symmetric(by_channel, scales, axis=1)
    if product:
        stored, shape = stored.transpose(0, 2, 1), [by_channel.shape[2], shape[0]]
    stored = stored.reshape(kernels, -1)
    parts = parts_for(stored.shape[1], "onnx", machine)
    if parts > 1:
        stored = cut(stored, parts)
        alpha = _on_the_diagonal(emitter, layer, alpha, parts, kernels)
    code = bank.code
    steps = emitter.code_constants(Affine(1 / code.steps, 0, "int8" if code.signed else "uint8"))
    margin = code.margin(kernels)
    # an accumulator is the kernel times 255; what divides it holds the margin too
    most = code.l1 if gate is None or code.taps is None else code.l1 * code.taps
    divisor = emitter.code_constants(Affine(float(code.steps * most * margin), 0, "int8"))
    # a network may call its weights so itself
    stored_alpha = f"{layer}/alpha" if f"{layer}/alpha" not in graph.producer else f"{layer}/kernel/alpha"
    emitter.emit("QuantizeLinear", [alpha, *steps], f"{stored_alpha}/q")
    codes = graph.add_constant(f"{bank.name}/q", stored)
    emitter.emit("MatMulInteger", [f"{stored_alpha}/q", codes], f"{layer}/mixed/i", like=bank.matmul)
    mixed = emitter.emit("Cast", [f"{layer}/mixed/i"], f"{layer}/mixed", to=1)
    if gate is None:
        emitter.emit("QuantizeLinear", [mixed, *divisor], f"{mixed}/q")
        kernel = emitter.emit(
            "Reshape", [f"{mixed}/q", emitter.integers(*shape)], f"{layer}/kernel/q", like=bank.reshape
        )
    else:
        sums = emitter.emit("Reshape", [mixed, emitter.integers(*shape)], f"{layer}/sums", like=bank.reshape)
        gated = emitter.emit("Mul", [sums, gate], f"{layer}/gated")
        kernel = emitter.emit("QuantizeLinear", [gated, *divisor], f"{layer}/kernel/q")
    computed = (scales * most * margin).astype(np.float32)
    scale = graph.add_constant(f"{layer}/kernel/s", computed)
    zeros = emitter.zeros(len(computed))
    emitter.emit("DequantizeLinear", [kernel, scale, zeros], f"{layer}/kernel/dq", axis=1 if product else 0)
    return computed


def _on_the_diagonal(emitter: Emitter, layer: str, alpha: str, parts: int, kernels: int) -> str:
    """``(1, k)`` -> ``(parts, parts k)``: row i has alpha in its i-th block of k and zeros elsewhere."""
    unit = emitter.graph.add_constant(f"diagonal:{parts}", diagonal(parts))
    spread = emitter.emit("Mul", [alpha, unit], f"{layer}/alpha/diagonal")
    return emitter.emit("Reshape", [spread, emitter.integers(parts, parts * kernels)], f"{layer}/alpha/rows")


def multiply(
    emitter: Emitter,
    unit: OnnxUnit,
    shape: tuple[int, ...],
    *,
    out_channels: int,
    source: Affine,
    activation: Any | None,
    result: Affine,
) -> None:
    """Emit a layer that :func:`is_product` as a product of pixels and kernel: a map ``(1, C, H, W)`` in, ``output/q`` out.

    A convolution with a computed kernel rearranges it for every image, up to five times the work of the product itself. The
    transposes around it meet those that runtimes put around int8 convolutions, which work channels last, and both vanish.
    """
    name, output, bias = unit.inputs[0], str(unit.output), unit.node.input[2]
    batch, channels, height, width = shape
    last = emitter.emit("Transpose", [f"{name}/q"], f"{unit.layer}/last/q", perm=[0, 2, 3, 1])
    pixels = emitter.integers(batch * height * width, channels)
    emitter.emit("Reshape", [last, pixels], f"{unit.layer}/pixels/q")
    flat = emitter.decode(f"{unit.layer}/pixels/q", f"{unit.layer}/pixels", source)
    product = emitter.emit("Gemm", [flat, f"{unit.layer}/kernel/dq", bias], f"{unit.layer}/product")
    emitter.nodes[-1].name = f"{unit.layer}/Gemm"
    if activation is not None:
        product = emitter.emit(
            activation.op_type, [product, *activation.input[1:]], f"{product}/active", like=activation
        )
    stored = emitter.encode(product, result)
    mapped = emitter.emit(
        "Reshape", [stored, emitter.integers(batch, height, width, out_channels)], f"{unit.layer}/map/q"
    )
    emitter.emit("Transpose", [mapped], f"{output}/q", perm=[0, 3, 1, 2])
    emitter.decode(f"{output}/q", output, result)
