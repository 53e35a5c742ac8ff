"""The quantizer of .tflite files."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eamdeploy.base.errors import UsageError
from export.quantize.bank_parts import machine_of
from export.quantize.observers import DEFAULT_METHOD, Observer
from export.quantize.quantizer import CountedImages, Images, NoiseMeter, Written
from export.quantize.tflite.calibrate import observe, run_keeping
from export.quantize.tflite.int8 import activations, quantize_int8
from export.quantize.tflite.model import FLOAT32, INT8, TfliteModel
from export.quantize.tflite.storage import store_float16, store_hybrid
from export.quantize.tflite.units import MOVES, check_supported, find_units
from export.tflite.exporter import flatbuffer_bytes
from runtimes.batching import input_layout
from runtimes.protocol import TensorInfo
from runtimes.readers.metadata import read_metadata

_NOT_COMPUTING = MOVES | {"GATHER", "PACK", "UNPACK", "SHAPE", "CAST"}
_HYBRID = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D")


class TfliteQuantizer:
    """See :class:`export.quantize.quantizer.Quantizer`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._machine = machine_of(path)
        model = TfliteModel.read(path)
        self._content = flatbuffer_bytes(path)
        self._mixing = model.mixing
        check_supported(model)
        shape = model.shape(int(model.graph.inputs[0]))
        if len(model.graph.inputs) != 1 or len(shape) != 4 or not model.is_float(int(model.graph.inputs[0])):
            raise UsageError(
                "the quantizer does not know this model", where=path, why=f"its input is {shape}, not float images"
            )
        declared = read_metadata(path).input_layout
        self.input_layout = input_layout(TensorInfo("", shape, "float32"), declared, "NHWC")
        channels, height, width = shape[1:] if self.input_layout == "NCHW" else (shape[3], *shape[1:3])
        self.batch, self.input_shape = shape[0], (channels, height, width)
        units = find_units(model)
        self.layers = tuple(dict.fromkeys(unit.layer for unit in units))
        self._outputs = {unit.layer: unit.output for unit in units}
        self._operators = sum(model.kind(op) not in _NOT_COMPUTING for op in model.graph.operators)
        self._measured = activations(model, units)
        self._observers: list[Observer] = []
        self._names = [model.name(tensor) for tensor in self._measured]
        self._output_names = {layer: model.name(tensor) for layer, tensor in self._outputs.items()}
        self._method = DEFAULT_METHOD

    def calibrate(self, images: Images, method: str) -> int:
        """See the protocol."""
        self._method = method
        counted = CountedImages(images)
        self._observers = observe(self._content, self._measured, self._fed(counted))
        return counted.images

    def _fed(self, images: Images) -> Iterator[npt.NDArray[np.float32]]:
        """Images ``(B, C, H, W)`` as the file takes them."""
        axes = (0, 1, 2, 3) if self.input_layout == "NCHW" else (0, 2, 3, 1)
        return (np.ascontiguousarray(image.transpose(axes)) for image in images)

    def write(self, path: Path, precision: str, float_layers: Collection[str] = ()) -> Written:
        """See the protocol."""
        model = TfliteModel(self._content, self._mixing)
        written = Written(self._operators, 0)
        if precision == "int8":
            if not self._observers and self._measured:
                raise ValueError("int8 needs a calibration")
            ranges = {
                name: observer.range(self._method) for name, observer in zip(self._names, self._observers, strict=True)
            }
            units = quantize_int8(model, ranges, float_layers, self._machine)
            done = {unit.layer for unit in units}
            int8 = sum(
                model.kind(op) not in _NOT_COMPUTING | {"QUANTIZE", "DEQUANTIZE"}
                and model.graph.tensors[int(op.outputs[0])].type == INT8
                for op in model.graph.operators
            )
            float_layers_left = tuple(layer for layer in self.layers if layer not in done)
            written = Written(
                self._operators, int8, tuple(layer for layer in self.layers if layer in done), float_layers_left
            )
        elif precision == "fp16":
            store_float16(model)
        else:
            store_hybrid(model, _HYBRID, banks=True)
            store_float16(model)
        path.write_bytes(model.to_bytes())
        return written

    def layer_snr_db(self, path: Path, images: Images) -> dict[str, float]:
        """See the protocol."""
        quantized = TfliteModel.read(path)
        places: dict[str, int] = {}
        for index, tensor in enumerate(quantized.graph.tensors):
            if tensor.type in (FLOAT32, INT8):
                places.setdefault(tensor.name.decode(), index)
        pairs = {
            layer: (self._outputs[layer], places[name]) for layer, name in self._output_names.items() if name in places
        }
        meter = NoiseMeter()
        image_list = list(self._fed(images))
        exact = run_keeping(self._content, [pair[0] for pair in pairs.values()], image_list)
        rounded = run_keeping(flatbuffer_bytes(path), [pair[1] for pair in pairs.values()], image_list)
        for expected, actual in zip(exact, rounded, strict=True):
            for layer, value, other in zip(pairs, expected, actual, strict=True):
                meter.add(layer, value, other)
        return meter.decibels()
