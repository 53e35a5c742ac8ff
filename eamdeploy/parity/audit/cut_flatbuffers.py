"""A part of a .tflite file, by the objects of its schema; a part of a .mnn file, by MNN's own expressions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from eamdeploy.base.errors import MissingDependency
from eamdeploy.parity.audit.suspects import SuspectPart, Values
from eamdeploy.parity.run.probe_tflite import read_model, write_model


def cut_tflite(artifact: Path, part: SuspectPart, target: Path) -> Path:
    """Keep the part's operators and the weights that they read; numbers of operators are in their names."""
    model = read_model(artifact)
    graph = model.subgraphs[0]
    names = {operator.name for operator in part.operators}
    graph.operators = [op for number, op in enumerate(graph.operators) if f"operator {number}" in names]
    graph.inputs = np.array([int(key) for key in part.inputs], dtype=np.int32)
    graph.outputs = np.array([int(part.output)], dtype=np.int32)
    tensor_indices = {int(index) for op in graph.operators for index in (*op.inputs, *op.outputs) if index >= 0}
    indices = sorted(tensor_indices | {int(key) for key in (*part.inputs, part.output)})
    place = {index: number for number, index in enumerate(indices)}
    graph.tensors = [graph.tensors[index] for index in indices]
    for op in graph.operators:
        op.inputs = np.array([place[index] if index >= 0 else index for index in map(int, op.inputs)], dtype=np.int32)
        op.outputs = np.array([place[int(index)] for index in op.outputs], dtype=np.int32)
    graph.inputs = np.array([place[int(index)] for index in graph.inputs], dtype=np.int32)
    graph.outputs = np.array([place[int(index)] for index in graph.outputs], dtype=np.int32)
    buffers = {tensor.buffer for tensor in graph.tensors}
    for number, buffer in enumerate(model.buffers):
        if number not in buffers:
            buffer.data = None
    # they speak of the whole file's inputs and outputs
    model.signatureDefs, model.metadata, model.metadataBuffer = [], [], []
    write_model(model, target)
    return target


def cut_mnn(artifact: Path, part: SuspectPart, values: Mapping[str, Values], target: Path) -> Path:
    """Put inputs in the place of the tensors that the part reads, and save what the wrong one is computed from.

    Raises:
        MissingDependency: without MNN.
    """
    try:
        from MNN import expr
    except ImportError as error:
        raise MissingDependency.extra("MNN", extra="mnn") from error
    tensors = expr.load_as_dict(str(artifact))
    for key in part.inputs:
        if key in values:
            placeholder = expr.placeholder(list(values[key].shape), expr.NCHW, expr.float)
            placeholder.name = key
            tensors[key].replace(expr.convert(placeholder, tensors[key].data_format))
    expr.save([tensors[part.output]], str(target))
    return target
