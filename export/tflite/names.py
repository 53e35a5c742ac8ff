"""Names that mean something in a .tflite file: tensors are called after the layer they come from.

litert-torch names a tensor after the modules it was traced in, as ``package.Class_attribute/package.Class_attribute;7``: the path
is read back from that. Which tensors are a layer's mixing weights and outputs is found by value: the file is run once on
random images, and a tensor that equals what the network computes there is the one. An activation that the converter fused
leaves no tensor before it, so such a layer has a ``block`` and no ``output``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from export.exporter.quiet import captured_output
from export.exporter.reference import layer_values
from export.exporter.request import ExportRequest
from export.tflite.constants import constant_paths
from export.tflite.peephole import operator_kind, tidy

Array = npt.NDArray[np.float32]
TOLERANCE = 1e-3  # of the largest magnitude: two runtimes' rounding, far below two random tensors' difference
_SCHEMA_BYTES = b"TFL3"


def rename(path: Path, wrapper: nn.Module, network: nn.Module, request: ExportRequest) -> dict[str, dict[str, str]]:
    """Rename the tensors of the file in place; returns the ``tensors`` of :class:`~export.exporter.request.ExportedFile`."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    graph = model.subgraphs[0]
    if tidy(model, schema):
        _write(model, path)
    matches = _match(path, network, request)
    paths = {name: module for module, name in _traced_names(wrapper)}
    names: dict[int, str] = {graph.inputs[0]: "input", graph.outputs[0]: "scores"}
    for kind in ("alpha", "output", "block"):
        for layer, index in matches[kind].items():
            names.setdefault(index, f"{layer}/{'alpha' if kind == 'alpha' else 'output'}")
    used = set(names.values())
    for operator in graph.operators:
        kind = _operator_name(schema, operator_kind(model, operator))
        for index in operator.outputs:
            if index not in names:
                where = _module_path(graph.tensors[index].name.decode(), paths)
                names[index] = _unique(f"{where}/{kind}" if where else kind, used)
    owners = constant_paths(model, network)
    for index, tensor in enumerate(graph.tensors):
        # what no operator makes is a constant
        constant = f"{_module_path(tensor.name.decode(), paths) or owners.get(index) or 'constant'}/constant"
        tensor.name = (names[index] if index in names else _unique(constant, used)).encode()
    _write(model, path)
    return {kind: {layer: names[index] for layer, index in group.items()} for kind, group in matches.items()}


def _write(model: Any, path: Path) -> None:
    import flatbuffers

    builder = flatbuffers.Builder(path.stat().st_size + 2**20)
    builder.Finish(model.Pack(builder), file_identifier=_SCHEMA_BYTES)
    path.write_bytes(builder.Output())


def _operator_name(schema: Any, code: int) -> str:
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    return names.get(code, f"operator_{code}").lower()


def _traced_names(wrapper: nn.Module) -> Iterator[tuple[str, str]]:
    """(path in the network, the converter's name) of each module."""

    def walk(module: nn.Module, path: str, traced: str) -> Iterator[tuple[str, str]]:
        yield path, traced
        for attribute, child in module.named_children():
            kind = type(child)
            name = f"{traced}/{kind.__module__}.{kind.__qualname__}_{attribute}"
            yield from walk(child, f"{path}.{attribute}" if path else attribute, name)

    kind = type(wrapper)
    root = f"{kind.__module__}.{kind.__qualname__}"
    for path, traced in walk(wrapper, "", root):
        # the wrapper's only child is the network
        yield path.partition(".")[2], traced


def _module_path(name: str, paths: dict[str, str]) -> str:
    """The deepest module path among the places that a (possibly fused) tensor comes from."""
    module_paths = [paths[part] for part in name.replace(";;", ";").split(";") if part in paths]
    return max(module_paths, key=lambda path: path.count(".") if path else -1, default="")


def _match(path: Path, network: nn.Module, request: ExportRequest) -> dict[str, dict[str, int]]:
    """Tensor index of each layer's values, by running both on random images."""
    images = torch.randn(int(request.batch), *request.input_shape, generator=torch.Generator().manual_seed(0))
    module_values = layer_values(network, images)
    by_shape = _tensors_by_shape(path, images.permute(0, 2, 3, 1).contiguous().numpy())
    matches: dict[str, dict[str, int]] = {"alpha": {}, "output": {}, "block": {}}
    for kind, group in module_values.items():
        matched_indices: set[int] = set()
        shared: dict[str, int] = {}  # attention that serves several layers -> its tensor
        for layer, value in group.items():
            source = request.attentions.get(layer, "") if kind == "alpha" else ""
            if source in shared:
                matches[kind][layer] = shared[source]
                continue
            expected = (value.permute(0, 2, 3, 1) if value.ndim == 4 else value).contiguous().numpy()
            for index, actual in by_shape.get(expected.shape, []):
                limit = TOLERANCE * max(float(np.abs(expected).max()), 1e-6)
                # alphas of different layers are alike at a high temperature: each tensor serves one layer, in order
                if index not in matched_indices and float(np.abs(actual - expected).max()) <= limit:
                    matches[kind][layer] = index
                    matched_indices.add(index)
                    if source:
                        shared[source] = index
                    break
    return matches


def _tensors_by_shape(path: Path, images: Array) -> dict[tuple[int, ...], list[tuple[int, Array]]]:
    """Every float tensor that an operator makes, with its value, in order of execution."""
    with captured_output():
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        interpreter = Interpreter(
            str(path),
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
            num_threads=1,
        )
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
        interpreter.invoke()
        operator_outputs = [int(index) for operator in interpreter._get_ops_details() for index in operator["outputs"]]
        kinds = {detail["index"]: detail["dtype"] for detail in interpreter.get_tensor_details()}
        values: dict[tuple[int, ...], list[tuple[int, Array]]] = {}
        for index in dict.fromkeys(operator_outputs):
            if kinds.get(index) is np.float32:
                value = interpreter.get_tensor(index)
                values.setdefault(value.shape, []).append((index, value))
    return values


def _unique(name: str, used: set[str]) -> str:
    candidate, count = name, 1
    while candidate in used:
        count += 1
        candidate = f"{name}_{count}"
    used.add(candidate)
    return candidate
