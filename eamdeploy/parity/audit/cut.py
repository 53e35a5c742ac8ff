"""Write a part of an artifact as a file of its own, for a bug report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from eamdeploy.parity.audit.cut_flatbuffers import cut_mnn, cut_tflite
from eamdeploy.parity.audit.suspects import SuspectPart, Values
from runtimes.readers.ncnn_file import NcnnLayer, NcnnParam, Parameter, read_param, weight_blocks, weights_path

_SIZE_IDS = {1: (0,), 2: (1, 0), 3: (2, 1, 0), 4: (2, 11, 1, 0)}


def write_part(artifact: Path, part: SuspectPart, values: Mapping[str, Values], target: Path) -> Path | None:
    """Write ``part`` of ``artifact`` beside ``target``; returns the file, or ``None`` where the format cannot be cut.

    Args:
        values: of the part's inputs, for their sizes.
        target: without a suffix.
    """
    if artifact.suffix.lower() == ".param":
        return _cut_ncnn(artifact, part, values, target.with_name(f"{target.name}.ncnn.param"))
    if artifact.suffix.lower() == ".onnx":
        return _cut_onnx(artifact, part, target.with_name(f"{target.name}.onnx"))
    if artifact.suffix.lower() == ".tflite":
        return cut_tflite(artifact, part, target.with_name(f"{target.name}.tflite"))
    if artifact.suffix.lower() == ".mnn":
        return cut_mnn(artifact, part, values, target.with_name(f"{target.name}.mnn"))
    return None


def _cut_ncnn(artifact: Path, part: SuspectPart, values: Mapping[str, Values], target: Path) -> Path | None:
    param = read_param(artifact)
    names = {operator.name for operator in part.operators}
    inputs = [key for key in part.inputs if key in values]
    layers = [NcnnLayer("Input", key, (), (key,), _sizes(values[key].shape[1:])) for key in inputs]
    layers += [layer for layer in param.layers if layer.name in names and layer.kind != "Input"]
    content = weights_path(artifact).read_bytes()
    pieces, at = [], 0
    for layer in param.layers:
        size = weight_blocks(layer, content, at)
        if size is None:
            return None  # a layer whose weights are not known: where the next ones begin is not either
        if layer.name in names:
            pieces.append(content[at : at + size])
        at += size
    target.write_text(NcnnParam(tuple(layers), None, (part.output,)).text(), encoding="utf-8")
    weights_path(target).write_bytes(b"".join(pieces))
    return target


def _sizes(shape: tuple[int, ...]) -> dict[int, Parameter]:
    return dict(sorted(zip(_SIZE_IDS[len(shape)], shape, strict=True)))


def _cut_onnx(artifact: Path, part: SuspectPart, target: Path) -> Path:
    import onnx

    model = onnx.shape_inference.infer_shapes(onnx.load(str(artifact)))
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [key for key in part.inputs if key not in constants]
    cut = onnx.utils.Extractor(model).extract_model(inputs, [part.output])
    onnx.save(cut, str(target))
    return target


def write_values(target: Path, inputs: Mapping[str, Values], actual: Values, expected: Values | None) -> Path:
    """Write what goes in, what comes out and what should come out, as ``.npz``."""
    path = target.with_name(f"{target.name}.npz")
    arrays = {f"input:{key}": value for key, value in inputs.items()}
    arrays["found"] = actual
    if expected is not None:
        arrays["expected"] = expected
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    return path
