"""Ranges of an ONNX graph's tensors over calibration images, one image at a time: memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from export.quantize.observers import DEFAULT_METHOD, Observer

Images = Iterable[npt.NDArray[np.float32]]


def session(model: Any, outputs: Sequence[str] = (), *, optimize: bool = False) -> Any:
    """An onnxruntime session on ``model`` whose outputs are its own followed by the tensors ``outputs``."""
    import onnx
    import onnxruntime

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    present = {value.name for value in copy.graph.output}
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs if name not in present)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    if not optimize:
        # with every tensor an output nothing is left to fuse, and layouts would only be changed back and forth
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    return onnxruntime.InferenceSession(copy.SerializeToString(), options, providers=["CPUExecutionProvider"])


def observe(model: Any, tensors: Sequence[str], images: Images) -> dict[str, Observer]:
    """An observer per tensor that has seen what it holds for each of ``images``, ``(B, C, H, W)``."""
    inputs = {value.name for value in model.graph.input}
    inner = [name for name in tensors if name not in inputs]
    running = session(model, inner)
    feed = running.get_inputs()[0].name
    observers = {name: Observer() for name in tensors}
    for image in images:
        # asked for no tensor at all, onnxruntime answers with the outputs
        values = running.run(inner, {feed: image}) if inner else []
        for name, value in zip(inner, values, strict=True):
            observers[name].update(value)
        if feed in observers:
            observers[feed].update(image)
    return observers


def ranges_of(observers: dict[str, Observer], method: str = DEFAULT_METHOD) -> dict[str, tuple[float, float]]:
    """The range of each observed tensor."""
    return {name: observer.range(method) for name, observer in observers.items()}
