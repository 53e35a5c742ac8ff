"""The image input of an ONNX model: its layout and type, and how prepared images are fed to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eamdeploy.base.errors import UsageError
from export.onnx.graph import OnnxGraph
from runtimes.batching import as_input, input_layout
from runtimes.protocol import TensorInfo
from runtimes.readers.metadata import read_metadata

_FLOAT16, _BFLOAT16, _DOUBLE = 10, 16, 11  # TensorProto.DataType


@dataclass(frozen=True)
class QuantizedInput:
    """The input.

    Attributes:
        path: of the model, for messages.
        batch: images in one run, 1 where it is open.
        shape: of one image, (C, H, W).
        layout: ``NCHW`` or ``NHWC``.
        dtype: numpy's name of its type.
    """

    path: Path
    batch: int
    shape: tuple[int, int, int]
    layout: str
    dtype: str

    def feed(self, images: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        """Prepared images (B, C, H, W) as the model takes them."""
        values = images if self.layout == "NCHW" else images.transpose(0, 2, 3, 1)
        return np.ascontiguousarray(as_input(values, self.dtype, self.path))


def find_entry(model: Any, graph: OnnxGraph, path: Path) -> QuantizedInput:
    """The image input.

    Raises:
        UsageError: when there is none of a fixed size, or the model computes in another type than float32.
    """
    import onnx

    values = {value.name: value.type.tensor_type for value in model.graph.input}
    tensor = values[graph.inputs[0]] if len(graph.inputs) == 1 else None
    sizes = [entry.dim_value for entry in tensor.shape.dim] if tensor is not None else []
    name = "" if tensor is None else np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    info = TensorInfo("", tuple(size or None for size in sizes), name)
    layout = input_layout(info, read_metadata(path).input_layout, "NCHW")
    channels, *sides = (sizes[1:] if layout == "NCHW" else [sizes[3], *sizes[1:3]]) if len(sizes) == 4 else (0, 0)
    if channels < 1 or min(sides) < 1:
        known_names = ", ".join(
            f"{key} {[size.dim_value or size.dim_param or '?' for size in values[key].shape.dim]}"
            for key in graph.inputs
        )
        why = f"its input must be images of a fixed size, and is {known_names}"
        hint = "export it with a fixed input size"
        raise UsageError("the quantizer does not know this model", where=path, why=why, hint=hint)
    other = next(
        (weight for weight in model.graph.initializer if weight.data_type in (_FLOAT16, _BFLOAT16, _DOUBLE)), None
    )
    if other is not None and len(other.dims) > 1:
        kind = onnx.TensorProto.DataType.Name(other.data_type).lower()
        why = f"it computes in {kind} (such as its weight '{other.name}')"
        raise UsageError("the quantizer takes float32 models", where=path, why=why, hint="export it in float32")
    return QuantizedInput(path, max(1, int(sizes[0])), (int(channels), int(sides[0]), int(sides[1])), layout, name)
