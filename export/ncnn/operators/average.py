"""Adaptive average pooling: two products with constant matrices in ONNX, one layer in ncnn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eamdeploy.networks.layers.pooling import average_matrix
from export.ncnn.conversion import Conversion
from export.ncnn.graph import OnnxNode
from export.ncnn.network import Array
from runtimes.readers.ncnn_file import Parameter

_AVERAGE, _KIND, _ADAPTIVE, _WIDTH, _HEIGHT = 1, 0, 7, 8, 18


@dataclass(frozen=True)
class AveragePair:
    """The two products.

    Attributes:
        columns: ``map @ C``.
        rows: ``R @ (map @ C)``.
        size: rows and columns of the result.
    """

    columns: OnnxNode
    rows: OnnxNode
    size: tuple[int, int]


def average_at(conversion: Conversion, columns: OnnxNode | None) -> AveragePair | None:
    """The average pooling of a map that begins with the product ``columns``, if it is one."""
    if columns is None or columns.kind != "MatMul" or conversion.is_constant(columns.inputs[0]):
        return None
    rows = conversion.source.only_reader(columns.outputs[0])
    if rows is None or rows.kind != "MatMul" or rows.inputs[1] != columns.outputs[0]:
        return None
    if not (conversion.is_constant(columns.inputs[1]) and conversion.is_constant(rows.inputs[0])):
        return None
    tall, wide = conversion.source.constant(rows.inputs[0]), conversion.source.constant(columns.inputs[1]).T
    if not (_averages(tall) and _averages(wide)):
        return None
    return AveragePair(columns, rows, (tall.shape[0], wide.shape[0]))


def pooled(conversion: Conversion, pair: AveragePair, blobs: list[str]) -> None:
    """Pool the parts of a map's channels one by one, and join what is left of them: a small map."""
    for node in (pair.columns, pair.rows):
        conversion.fuse(node)
    height, width = pair.size
    parameters: dict[int, Parameter] = {_KIND: _AVERAGE, _ADAPTIVE: 1, _WIDTH: width, _HEIGHT: height}
    if len(blobs) == 1:
        conversion.layer("Pooling", pair.rows, blobs, parameters)
        return
    parts = [conversion.helper("Pooling", f"{blob}/average", (blob,), parameters) for blob in blobs]
    conversion.layer("Concat", pair.rows, parts, {0: 0})


def _averages(matrix: Array) -> bool:
    """Whether each row is the mean of an adaptive pooling's cell."""
    if matrix.ndim != 2:
        return False
    size, length = matrix.shape
    return size <= length and np.allclose(matrix, average_matrix(length, size).numpy(), rtol=1e-6, atol=1e-9)
