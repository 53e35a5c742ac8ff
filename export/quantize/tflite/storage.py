"""TFLite weights that are computed with in float: int8 with inputs quantized on the fly (hybrid kernels), or float16."""

from __future__ import annotations

from typing import Any

import numpy as np

from export.quantize.scales import channel_scales, quantize_symmetric
from export.quantize.tflite.model import FLOAT32, TensorCode, TfliteModel

AT_LEAST = 256  # elements
_WEIGHT_AXES = {"FULLY_CONNECTED": 0, "CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}
MIXING_INPUTS = 16  # a fully connected layer of so few inputs and many outputs mixes a bank


def is_bank(model: TfliteModel, tensor: int) -> bool:
    """Whether a constant is a bank ``(N, k)``: scales per row would be as large as the bank itself."""
    shape = model.shape(tensor)
    return len(shape) == 2 and shape[1] <= MIXING_INPUTS and shape[0] > 4 * shape[1]


def store_hybrid(model: TfliteModel, kinds: tuple[str, ...] = ("FULLY_CONNECTED",), *, banks: bool = False) -> int:
    """Store the constant float weights of ``kinds`` as int8 with a scale per output; returns how many operators changed.

    Banks are left, or with ``banks`` those of matrix products get one scale each; the channels of a depthwise bank differ
    too much to share one.
    """
    count = 0
    float16_buffers: dict[int, int] = {}
    for op in model.graph.operators:
        kind = model.kind(op)
        if kind not in kinds:
            continue
        tensor = int(op.inputs[1])
        if not (model.is_constant(tensor) and model.is_float(tensor) and model.is_float(int(op.inputs[0]))):
            continue
        value = model.value(tensor)
        bank = kind == "FULLY_CONNECTED" and is_bank(model, tensor)
        if value.size < AT_LEAST or (bank and not (banks and _feeds_product(model, op))):
            continue
        if tensor not in float16_buffers:
            axis = _WEIGHT_AXES[kind]
            scales = channel_scales(value.reshape(1, -1), 0) if bank else channel_scales(value, axis)
            stored = quantize_symmetric(value, scales[0]) if bank else quantize_symmetric(value, scales, axis)
            code = TensorCode(tuple(map(float, scales)), (0,) * len(scales), axis)
            float16_buffers[tensor] = model.add_constant(f"{model.name(tensor)}/q", stored, code)
        op.inputs = [int(op.inputs[0]), float16_buffers[tensor], *[int(t) for t in op.inputs[2:]]]
        # version 12 says that a filter has a scale per channel: a runtime that knows none must refuse it, not misread it
        model.raise_version(op, 12 if kind == "FULLY_CONNECTED" and not bank else 5)
        count += 1
    model.index()
    return count


def _feeds_product(model: TfliteModel, mixing: Any) -> bool:
    readers = model.readers.get(int(mixing.outputs[0]), [])
    following = [model.kind(op) for reader in readers for op in model.readers.get(int(reader.outputs[0]), [])]
    return bool(following) and all(kind == "BATCH_MATMUL" for kind in following)


def store_float16(model: TfliteModel) -> int:
    """Store float constants as float16 behind a DEQUANTIZE, which runtimes compute once; returns how many changed."""
    float16_buffers: dict[int, int] = {}
    front = []
    # a hybrid linear layer whose bias is widened first is refused by XNNPACK
    float32_tensors = {
        int(op.inputs[2])
        for op in model.graph.operators
        if len(op.inputs) > 2 and not model.is_float(int(op.inputs[1]))
    }
    for op in model.graph.operators:
        places = []
        for tensor in (int(t) for t in op.inputs):
            eligible = (
                tensor >= 0 and model.is_float(tensor) and model.is_constant(tensor) and tensor not in float16_buffers
            )
            value = model.value(tensor) if eligible and tensor not in float32_tensors else np.zeros(0, np.float32)
            if value.size >= AT_LEAST and np.abs(value).max() <= np.finfo(np.float16).max:
                half = model.add_constant(f"{model.name(tensor)}/f16", value.astype(np.float16))
                float16_buffers[tensor] = model.add_tensor(f"{model.name(tensor)}/wide", value.shape, FLOAT32)
                options = model.schema.DequantizeOptionsT()
                front.append(model.operator("DEQUANTIZE", [half], [float16_buffers[tensor]], 3, options))
            places.append(float16_buffers.get(tensor, tensor))
        op.inputs = places
    model.graph.operators = [*front, *model.graph.operators]
    model.index()
    return len(float16_buffers)
