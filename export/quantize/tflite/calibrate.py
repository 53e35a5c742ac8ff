"""Ranges of a TFLite graph's tensors over calibration images, one image at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from export.exporter.quiet import captured_output
from export.quantize.observers import Observer

Images = Iterable[npt.NDArray[np.float32]]


def interpreter(content: bytes, *, keep_all: bool) -> Any:
    """An interpreter on a flatbuffer; ``keep_all`` keeps every tensor's value, without delegates, which hide them."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kind = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if keep_all else OpResolverType.AUTO
    with captured_output():
        interpreter_object = Interpreter(
            model_content=content,
            num_threads=1,
            experimental_op_resolver_type=kind,
            experimental_preserve_all_tensors=keep_all,
        )
        interpreter_object.allocate_tensors()
    return interpreter_object


def run_keeping(content: bytes, tensors: Sequence[int], images: Images) -> Iterator[list[npt.NDArray[Any]]]:
    """The values of ``tensors`` for each image as the graph takes it; int8 ones as the reals they stand for."""
    running = interpreter(content, keep_all=True)
    details = {int(entry["index"]): entry for entry in running.get_tensor_details()}
    feed = int(running.get_input_details()[0]["index"])
    for image in images:
        running.set_tensor(feed, image)
        running.invoke()
        yield [_real(running.get_tensor(index), details[index]) for index in tensors]


def observe(content: bytes, tensors: Sequence[int], images: Images) -> list[Observer]:
    """An observer per tensor."""
    observers = [Observer() for _ in tensors]
    for values in run_keeping(content, tensors, images):
        for observer, value in zip(observers, values, strict=True):
            observer.update(value)
    return observers


def _real(value: npt.NDArray[Any], detail: dict[str, Any]) -> npt.NDArray[Any]:
    scale, zero_point = detail["quantization"]
    if value.dtype == np.int8 and scale:
        return (value.astype(np.float32) - zero_point) * np.float32(scale)
    return value
