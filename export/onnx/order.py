"""The nodes of a rewritten graph, by the passes of onnx-ir: what nothing reads goes, the rest is put in order.

The passes decide, and the protobuf messages stay what they were: written anew by onnx-ir, every node would say its empty domain
and the file's hash would change with the library's version.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def put_nodes(model: Any, nodes: Sequence[Any], initializers: Sequence[Any]) -> None:
    """Put into ``model`` those of ``nodes`` that its outputs need, each behind what it reads, and the initializers that these read.

    A node that only the body of an ``If`` or a ``Loop`` reads is needed too.

    Args:
        model: a ``ModelProto``, changed in place; what it held of nodes and initializers goes.
        nodes: ``NodeProto`` messages, in any order.
        initializers: ``TensorProto`` messages, in the order that they are to keep.

    Raises:
        ValueError: the nodes go round in a circle.
    """
    import onnx_ir as ir
    from onnx_ir.passes.common import RemoveUnusedNodesPass, TopologicalSortPass

    graph = model.graph
    _replace(graph.node, nodes)
    _replace(graph.initializer, initializers)
    typed = ir.from_proto(model)
    for node, message in zip(typed.graph, nodes, strict=True):
        node.meta["message"] = message
    TopologicalSortPass()(typed)
    RemoveUnusedNodesPass()(typed)
    _replace(graph.node, [node.meta["message"] for node in typed.graph])
    _replace(graph.initializer, [tensor for tensor in initializers if tensor.name in typed.graph.initializers])


def _replace(field: Any, messages: Sequence[Any]) -> None:
    # the messages may be the field's own
    live_messages = list(messages)
    del field[:]
    field.extend(live_messages)
