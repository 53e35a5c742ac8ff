"""Names that mean something: nodes and tensors of an exported graph are called after the layer they come from.

``torch.onnx.export`` writes the module path of every node into its ``metadata_props``. Nodes become ``PATH/OpType``, their outputs
``PATH/operation``; a layer's mixing weights ``LAYER/alpha`` and its output ``LAYER/output``. The exporter's own notes, which
hold stack traces with the paths of this machine, are dropped.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

_SCOPES = "pkg.torch.onnx.name_scopes"


def rename(model: Any, layers: Sequence[str], attentions: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Rename in place; returns the ``tensors`` of :class:`~export.request.ExportedFile` for ``layers``.

    ``attentions`` names the module that gives a layer's mixing weights where that is not the layer's own.
    """
    graph = model.graph
    scopes = _node_scopes(graph)
    fixed = {value.name for value in (*graph.input, *graph.output)} | {tensor.name for tensor in graph.initializer}
    tensors = _layer_tensors(graph, scopes, layers, attentions)
    names: dict[str, str] = {}
    used = set(fixed)
    for kind in ("alpha", "output"):
        for layer, tensor in tensors[kind].items():
            if tensor not in fixed and tensor not in names:
                names[tensor] = _unique(f"{layer}/{kind}", used)
    for block, tensor in tensors["block"].items():
        if tensor not in fixed and tensor not in names:
            names[tensor] = _unique(f"{block}/output", used)
    node_names: set[str] = set()
    for node, (path, operation) in zip(graph.node, scopes, strict=True):
        node.name = _unique(f"{path}/{node.op_type}" if path else node.op_type, node_names)
        for output in node.output:
            if output and output not in fixed and output not in names:
                names[output] = _unique(f"{path}/{operation}" if path else operation, used)
        del node.metadata_props[:]
        node.doc_string = ""
    _apply(graph, names)
    del model.metadata_props[:]
    del graph.metadata_props[:]
    model.doc_string = graph.doc_string = ""
    graph.name = "eamdeploy"
    return {kind: {layer: names.get(name, name) for layer, name in group.items()} for kind, group in tensors.items()}


def _node_scopes(graph: Any) -> list[tuple[str, str]]:
    """(module path, operation) of each node; one that the exporter's optimizer made takes its producer's path."""
    produced: dict[str, str] = {}
    scopes = []
    for node in graph.node:
        listed = {entry.key: entry.value for entry in node.metadata_props}.get(_SCOPES)
        if listed:
            *paths, operation = ast.literal_eval(listed)
            path = paths[-1] if paths else ""
        else:
            path = next((produced[name] for name in node.input if name in produced), "")
            operation = node.op_type.lower()
        scopes.append((path, operation))
        produced.update(dict.fromkeys(node.output, path))
    return scopes


def _layer_tensors(
    graph: Any, scopes: list[tuple[str, str]], layers: Sequence[str], attentions: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Today's names of each layer's alpha and output, and of each block's output."""
    tensors: dict[str, dict[str, str]] = {"alpha": {}, "output": {}, "block": {}}
    layer_names = set(layers)
    names_by_layer: dict[str, list[str]] = {}
    for layer, source in attentions.items():
        names_by_layer.setdefault(source, []).append(layer)
    blocks = {layer.rpartition(".")[0] for layer in layers if layer.endswith(".conv")}
    for node, (path, _) in zip(graph.node, scopes, strict=True):
        parts = path.split(".")
        owner = next((p for end in range(len(parts), 0, -1) if (p := ".".join(parts[:end])) in layer_names), None)
        if owner is not None:
            if node.op_type == "Softmax" and path == f"{owner}.attention":
                tensors["alpha"][owner] = node.output[0]
            elif not path.startswith(f"{owner}.attention"):
                tensors["output"][owner] = node.output[0]
        block = next((p for end in range(len(parts), 0, -1) if (p := ".".join(parts[:end])) in blocks), None)
        if block is not None and not path.startswith(f"{block}.conv.attention"):
            tensors["block"][block] = node.output[0]
        for layer in names_by_layer.get(path, ()):
            tensors["alpha"][layer] = node.output[0]
    return tensors


def _apply(graph: Any, names: dict[str, str]) -> None:
    for node in graph.node:
        for names_of in (node.input, node.output):
            renamed = [names.get(name, name) for name in names_of]
            del names_of[:]
            names_of.extend(renamed)
    for value in graph.value_info:
        value.name = names.get(value.name, value.name)
        del value.metadata_props[:]
        value.doc_string = ""
    for tensor in graph.initializer:
        tensor.doc_string = ""
        del tensor.metadata_props[:]
    for value in (*graph.input, *graph.output):
        del value.metadata_props[:]


def _unique(name: str, used: set[str]) -> str:
    candidate, count = name, 1
    while candidate in used:
        count += 1
        candidate = f"{name}_{count}"
    used.add(candidate)
    return candidate
