"""Biases that are mixed for each image: an int8 convolution has constant ones only, so they are added behind it."""

from __future__ import annotations

from typing import Any

import numpy as np

from export.onnx.graph import OnnxGraph


def with_biases_added(model: Any) -> Any:
    """``model`` where each convolution with a computed bias is one without, and a sum of two maps; changed in place."""
    from onnx import helper, numpy_helper

    graph = OnnxGraph(model)
    nodes: list[Any] = []
    shape_name = "/bias/shape"
    for node in model.graph.node:
        nodes.append(node)
        if node.op_type != "Conv" or len(node.input) < 3 or node.input[2] not in graph.producer:
            continue
        output, bias, layer = (
            str(node.output[0]),
            str(node.input[2]),
            str(node.name).rpartition("/")[0] or str(node.name),
        )
        del node.input[2:]
        node.output[0] = f"{output}/unbiased"
        as_map = helper.make_node("Reshape", [bias, shape_name], [f"{output}/bias"], name=f"{layer}.bias/Reshape")
        added = helper.make_node("Add", [node.output[0], as_map.output[0]], [output], name=f"{layer}.bias/Add")
        nodes += [as_map, added]
    if len(nodes) > len(model.graph.node):
        model.graph.initializer.append(numpy_helper.from_array(np.array([1, -1, 1, 1], np.int64), shape_name))
        del model.graph.node[:]
        model.graph.node.extend(nodes)
    return model
