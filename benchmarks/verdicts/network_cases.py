"""Faults and sound variations of the shipped dynamic network's file, as verify and export see them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import onnx
from onnx import numpy_helper

from benchmarks.verdicts.case import VerdictCase
from eamdeploy.networks.checkpoint import Checkpoint, load_checkpoint
from eamdeploy.parity import check_parity
from export.exporter.request import ExportedFile
from export.onnx.exporter import OnnxExporter

NAME = "fashion-mnist-v1x0.25-eam-rcr"
LAYERS = tuple(f"blocks.{block}.{part}.conv" for block in range(0, 13, 3) for part in ("depthwise", "pointwise"))
IMAGES = 12


def _constants(model: Any, prefix: str, *, without: str = "\0") -> list[Any]:
    """The float constants that a layer's nodes read, the largest first."""
    nodes = [node for node in model.graph.node if node.name.startswith(prefix) and without not in node.name]
    names = {name for node in nodes for name in node.input}
    constants = [tensor for tensor in model.graph.initializer if tensor.name in names and tensor.data_type == 1]
    return sorted(constants, key=lambda tensor: -int(np.prod(tensor.dims)))


def _put(tensor: Any, value: np.ndarray) -> None:
    tensor.CopyFrom(numpy_helper.from_array(np.asarray(value, np.float32), tensor.name))


def _weights(layer: str, factor: float, model: Any) -> None:
    """A quarter of a layer's kernels, a little larger."""
    tensor = _constants(model, layer, without=".attention")[0]
    value = numpy_helper.to_array(tensor).copy()
    value.reshape(-1)[: max(1, value.size // 4)] *= factor
    _put(tensor, value)


def _temperature(layer: str, factor: float, model: Any) -> None:
    """The attention's last linear layer scaled: another temperature of its softmax."""
    for tensor in _constants(model, f"{layer}.attention.fc2"):
        _put(tensor, numpy_helper.to_array(tensor) * factor)


def _gather(layer: str, model: Any) -> None:
    """Two channels of the attention's choice exchanged."""
    node = next(
        node for node in model.graph.node if node.name.startswith(f"{layer}.attention") and node.op_type == "Gather"
    )
    source = next(tensor for tensor in model.graph.initializer if tensor.name == node.input[1])
    indices = numpy_helper.to_array(source).copy()
    indices[[0, 1]] = indices[[1, 0]]
    model.graph.initializer.append(numpy_helper.from_array(indices, "exchanged"))
    node.input[1] = "exchanged"


def _metadata(change: dict[str, Any], model: Any) -> None:
    entry = next(entry for entry in model.metadata_props if entry.key == "eamdeploy")
    entry.value = json.dumps(json.loads(entry.value) | change)


def _renamed(model: Any) -> None:
    """Every constant of the main graph under another name."""
    names = {tensor.name: f"c{index}" for index, tensor in enumerate(model.graph.initializer)}
    for tensor in model.graph.initializer:
        tensor.name = names[tensor.name]
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]


def _turned(model: Any) -> None:
    constants = list(model.graph.initializer)
    del model.graph.initializer[:]
    model.graph.initializer.extend(reversed(constants))


def faults(checkpoint: Checkpoint) -> Iterator[tuple[str, Any]]:
    """What is planted into the file."""
    for layer in LAYERS:
        yield f"{layer}: kernels off by 5 %", partial(_weights, layer, 1.05)
        yield f"{layer}: temperature doubled", partial(_temperature, layer, 0.5)
        yield f"{layer}: channels exchanged", partial(_gather, layer)
    classes = list(checkpoint.classes)
    yield "classes turned", partial(_metadata, {"classes": classes[1:] + classes[:1]})
    yield "two classes exchanged", partial(_metadata, {"classes": [classes[1], classes[0], *classes[2:]]})
    for key, value in (("mean", [0.5]), ("std", [1.0])):
        changed = {**checkpoint.preprocessing, key: value}
        yield f"preprocessing: {key} {value}", partial(_metadata, {"preprocessing": changed})
    yield "made from another checkpoint", partial(_metadata, {"checkpoint_sha256": "0" * 64})


def sound(model: Any) -> Iterator[tuple[str, Any]]:
    """What leaves the function as it is."""
    yield "constants renamed", _renamed
    yield "constants in another order", _turned
    yield "no names of tensors", partial(_metadata, {"tensors": {}})
    for version in range(model.ir_version, model.ir_version + 2):
        yield f"IR version {version}", lambda changed, version=version: setattr(changed, "ir_version", version)
    yield "another producer", lambda changed: setattr(changed, "producer_name", "other")


def cases(folder: Path) -> Iterator[VerdictCase]:
    """Export once, then everything that is planted into the file; and the same files in place of an export's own."""
    import eamdeploy

    checkpoint = load_checkpoint(NAME)
    (artifact,) = eamdeploy.export(checkpoint, str(folder / "build"), formats=["onnx"], precisions=["fp32"])
    place = itertools.count()

    def broken(edit: Any) -> Path:
        model = onnx.load(str(artifact.path))
        edit(model)
        path = folder / f"network-{next(place)}.onnx"
        onnx.save(model, str(path))
        return path

    def verified(edit: Any) -> bool:
        return check_parity(broken(edit), checkpoint, limit=IMAGES).passed

    for name, edit in faults(checkpoint):
        yield VerdictCase("verify", name, True, partial(verified, edit))
    for name, edit in sound(onnx.load(str(artifact.path))):
        yield VerdictCase("verify", name, False, partial(verified, edit))

    def exported(edit: Any) -> bool:
        """Export, with a converter that writes the file that is planted."""
        planted = broken(edit).read_bytes()

        def convert(_self: OnnxExporter, _network: Any, path: Path, _request: Any) -> ExportedFile:
            path.write_bytes(planted)
            entry = next(entry for entry in onnx.load(str(path)).metadata_props if entry.key == "eamdeploy")
            return ExportedFile(path, {kind: dict(group) for kind, group in json.loads(entry.value)["tensors"].items()})

        with mock.patch.object(OnnxExporter, "__call__", convert):
            return bool(eamdeploy.export(checkpoint, str(folder / f"out-{next(place)}"), formats=["onnx"]))

    for layer in LAYERS[:3]:
        yield VerdictCase(
            "export", f"the converter: {layer} off by 5 %", True, partial(exported, partial(_weights, layer, 1.05))
        )
        yield VerdictCase(
            "export", f"the converter: {layer} temperature", True, partial(exported, partial(_temperature, layer, 0.5))
        )
        yield VerdictCase(
            "export", f"the converter: {layer} channels", True, partial(exported, partial(_gather, layer))
        )
    yield VerdictCase("export", "the converter orders its constants otherwise", False, partial(exported, _turned))
