"""Find the mixing weights of each dynamic layer inside an artifact."""

from __future__ import annotations

from collections.abc import Mapping

from eamdeploy.parity.compare.metrics import Array
from eamdeploy.parity.run.probe import ProbedGraph
from runtimes.readers.metadata import ArtifactMetadata


def wanted_keys(graph: ProbedGraph, metadata: ArtifactMetadata) -> list[str]:
    """The tensors that hold mixing weights, or may: those the metadata names, else all that a softmax computes."""
    named = named_alphas(graph, metadata)
    return list(dict.fromkeys(named.values() if named else graph.softmaxes))


def named_alphas(graph: ProbedGraph, metadata: ArtifactMetadata) -> dict[str, str]:
    """Layer to tensor, as the metadata has it, where the artifact has such a tensor."""
    keys = {layer: graph.key(name) for layer, name in metadata.tensors.get("alpha", {}).items()}
    return {layer: key for layer, key in keys.items() if key is not None}


def assign_alphas(
    graph: ProbedGraph, metadata: ArtifactMetadata, layers: Mapping[str, int], values: Mapping[str, Array]
) -> dict[str, str]:
    """Layer to the tensor of its mixing weights; empty where that cannot be told. ``layers`` has each one's kernels.

    Without names in the metadata the softmaxes of the graph, in order, are the dynamic layers of the network, in order:
    each layer's weights depend on the layer before it.
    """
    named = named_alphas(graph, metadata)
    if named:
        return {
            layer: key for layer, key in named.items() if key in values and values[key].shape[1] == layers.get(layer)
        }
    kernels = set(layers.values())
    matches = [key for key in graph.softmaxes if key in values and values[key].shape[1] in kernels]
    order = list(layers)
    return dict(zip(order, matches, strict=True)) if len(order) == len(matches) else {}
