"""Nodes of a rewritten graph: what is needed stays, in order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, checker, helper, numpy_helper

from export.onnx.order import put_nodes


def model(*nodes: Any, outputs: tuple[str, ...] = ("y",)) -> Any:
    shape = [1, 2]
    graph = helper.make_graph(
        [*nodes],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in outputs],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def tensor(name: str, value: Any) -> Any:
    return numpy_helper.from_array(np.asarray(value), name)


def test_what_nothing_reads_goes_and_the_rest_is_in_order() -> None:
    last = helper.make_node("Add", ["b", "one"], ["y"], name="last")
    first = helper.make_node("Relu", ["x"], ["b"], name="first")
    dead = helper.make_node("Mul", ["x", "two"], ["c"], name="dead")
    graph = model()
    messages = [node.SerializeToString() for node in (first, last)]
    put_nodes(graph, [last, dead, first], [tensor("two", np.float32(2)), tensor("one", np.float32(1))])
    assert [node.SerializeToString() for node in graph.graph.node] == messages
    assert [constant.name for constant in graph.graph.initializer] == ["one"]
    checker.check_model(graph, full_check=True)


def test_what_only_a_branch_reads_is_kept() -> None:
    """ONNX lets the body of an ``If`` read what lies outside of it."""
    outside = helper.make_node("Relu", ["x"], ["inner"], name="outside")
    branches = {
        name: helper.make_graph(
            [helper.make_node(kind, ["inner"], [f"{name}_y"])],
            name,
            [],
            [helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, [1, 2])],
        )
        for name, kind in (("then_branch", "Abs"), ("else_branch", "Neg"))
    }
    choice = helper.make_node("If", ["condition"], ["y"], name="choice", **branches)
    graph = model()
    put_nodes(graph, [choice, outside], [tensor("condition", True)])
    assert [node.name for node in graph.graph.node] == ["outside", "choice"]
    checker.check_model(graph, full_check=True)


def test_nodes_in_a_circle_are_refused() -> None:
    nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    with pytest.raises(ValueError, match="cycle"):
        put_nodes(model(outputs=("b",)), nodes, [])
