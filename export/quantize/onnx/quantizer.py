"""The quantizer of .onnx files: those of this project, and static classifiers from elsewhere."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from eamdeploy.base.errors import UsageError
from export.onnx.graph import OnnxGraph, foreign
from export.quantize.bank_parts import machine_of
from export.quantize.observers import DEFAULT_METHOD, Observer
from export.quantize.onnx.calibrate import observe, ranges_of, session
from export.quantize.onnx.entry import find_entry
from export.quantize.onnx.foreign import prepare_foreign
from export.quantize.onnx.int8 import activations, quantize_int8
from export.quantize.onnx.mixed_bias import with_biases_added
from export.quantize.onnx.storage import store_float16, store_int8
from export.quantize.onnx.units import MOVES, check_supported, find_units
from export.quantize.quantizer import CountedImages, Images, NoiseMeter, Written
from runtimes.readers.artifact_files import artifact_bytes

LARGEST = 2**31 - 1  # bytes of a protobuf
_NOT_COMPUTING = MOVES | {"Constant", "Cast", "Shape", "Concat", "ConstantOfShape", "Expand", "Split", "Range"}


class OnnxQuantizer:
    """See :class:`export.quantize.quantizer.Quantizer`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._machine = machine_of(path)
        self._model = _load(path)
        graph = OnnxGraph(self._model)
        check_supported(graph)
        if foreign(self._model):
            self._model = prepare_foreign(self._model, path)
        self._model = with_biases_added(self._model)
        graph = OnnxGraph(self._model)
        self._entry = find_entry(self._model, graph, path)
        self.batch, self.input_shape, self.input_layout = self._entry.batch, self._entry.shape, self._entry.layout
        units = find_units(graph)
        self.layers = tuple(dict.fromkeys(unit.layer for unit in units))
        self._outputs = {unit.layer: unit.output or str(unit.node.output[0]) for unit in units}
        self._operators = sum(node.op_type not in _NOT_COMPUTING for node in self._model.graph.node)
        self._measured = activations(graph, units)
        self._observers: dict[str, Observer] = {}
        self._method = DEFAULT_METHOD

    def calibrate(self, images: Images, method: str) -> int:
        """See the protocol."""
        self._method = method
        if not self._measured:
            why = "none of its layers has a form that int8 arithmetic computes here"
            raise UsageError("there is nothing to quantize to int8", where=self.path, why=why, hint="try int8-weights")
        counted = CountedImages(images)
        self._observers = observe(self._model, self._measured, (self._entry.feed(batch) for batch in counted))
        return counted.images

    def write(self, path: Path, precision: str, float_layers: Collection[str] = ()) -> Written:
        """See the protocol."""
        import onnx

        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        written = Written(self._operators, 0)
        if precision == "int8":
            if not self._observers:
                raise ValueError("int8 needs a calibration")
            units = quantize_int8(model, ranges_of(self._observers, self._method), float_layers, self._machine)
            banks = sum(unit.bank is not None for unit in units)
            fused = sum(unit.output not in (None, unit.node.output[0]) for unit in units)
            done = {unit.layer for unit in units}
            float_layers_left = tuple(layer for layer in self.layers if layer not in done)
            int8_layers = tuple(layer for layer in self.layers if layer in done)
            written = Written(self._operators, len(units) + banks + fused, int8_layers, float_layers_left)
        else:
            graph = OnnxGraph(model)
            nodes = list(model.graph.node)
            store_float16(graph, nodes) if precision == "fp16" else store_int8(graph, nodes)
            graph.finish(nodes)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, str(path))
        return written

    def layer_snr_db(self, path: Path, images: Images) -> dict[str, float]:
        """See the protocol."""
        quantized = _load(path)
        _decode(quantized, set(self._outputs.values()))
        present = {name for node in quantized.graph.node for name in node.output}
        pairs = {
            layer: (name, f"{name}/dq" if f"{name}/dq" in present else name) for layer, name in self._outputs.items()
        }
        pairs = {layer: pair for layer, pair in pairs.items() if pair[1] in present}
        names = [[pair[index] for pair in pairs.values()] for index in (0, 1)]
        exact, rounded = session(self._model, names[0]), session(quantized, names[1])
        feed = exact.get_inputs()[0].name
        meter = NoiseMeter()
        for image in map(self._entry.feed, images):
            values = exact.run(names[0], {feed: image}), rounded.run(names[1], {feed: image})
            for layer, expected, actual in zip(pairs, *values, strict=True):
                meter.add(layer, expected, actual)
        return meter.decibels()


def _decode(model: Any, names: Collection[str]) -> None:
    """Add ``name/dq`` where only ``name/q`` is left of a map, because its readers want codes."""
    from onnx import helper

    present = {name for node in model.graph.node for name in node.output}
    codes: dict[str, list[str]] = {}  # stored map -> scale and zero point
    for node in list(model.graph.node):
        stored = node.output[0]
        if node.op_type == "QuantizeLinear":
            codes[stored] = list(node.input[1:])
        elif node.op_type in ("Reshape", "Transpose") and node.input[0] in codes:
            codes[stored] = codes[node.input[0]]
        name = stored.removesuffix("/q")
        if stored in codes and name in names and f"{name}/dq" not in present:
            model.graph.node.append(helper.make_node("DequantizeLinear", [stored, *codes[stored]], [f"{name}/dq"]))


def _load(path: Path) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    if artifact_bytes(path) > LARGEST:
        why = f"it is {artifact_bytes(path) / 1e9:.1f} GB, and a graph in memory can have 2 GB"
        raise UsageError("the quantizer does not take a model of this size", where=path, why=why)
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError, OSError) as error:
        why = " ".join(str(error).split())[:200]
        raise UsageError("not an ONNX model", where=path, why=why) from error
    return model
