"""Moves aggregated convolutions of an ONNX graph into ONNX Runtime's blocked layout (``com.microsoft.nchwc``).

Sources, both in github.com/microsoft/onnxruntime: the layouts are those of ``MlasReorderFilterOIHWBiBo`` and
``MlasReorderFilterOIHWBo`` in onnxruntime/core/mlas/lib/reorder.cpp, the operators those of
onnxruntime/core/graph/contrib_ops/nchwc_schema_defs.cc. A map in blocks of b channels is ``(C/b, H, W, b)`` in memory under
the shape ``(1, C, H, W)``.

Banks are stored in the blocked order, so that mixing them gives blocked kernels. Elementwise operators stay in the layout;
a channel gather reads single lanes out of it; every other reader gets the map put back.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from export.onnx.graph import OnnxGraph

DOMAIN = "com.microsoft.nchwc"
# one gather with an index per element up to here, one strided slice per channel beyond
GATHER_UP_TO_POSITIONS = 20 * 20
_ELEMENTWISE = {"Relu", "Clip", "HardSwish"}


def block_size() -> int | None:
    """Channels per block in ONNX Runtime on this CPU; ``None`` where it has no blocked layout."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            _probe().SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        # the binding raises its own types for an operator that is not there; anything else is not ours to hide
        if type(error).__module__.startswith("onnxruntime"):
            return None
        raise
    lanes = session.run(None, {"x": np.arange(64, dtype=np.float32).reshape(1, 32, 1, 2)})[0].ravel()
    # channel c at position 0 holds 2 c: a block is as long as its first lanes count up in twos
    run = int(np.argmin(lanes == 2 * np.arange(len(lanes))))
    return run if run in {8, 16} else None


def _probe() -> Any:
    from onnx import TensorProto, helper

    node = helper.make_node("ReorderInput", ["x"], ["y"], domain=DOMAIN)
    graph = helper.make_graph(
        [node],
        "probe",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 32, 1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def block_filter(kernel: npt.NDArray[np.float32], block: int, depthwise: bool) -> npt.NDArray[np.float32]:
    """``(O, I, kh, kw)`` in the order that the blocked convolution reads; the shape stays."""
    outs, ins, height, width = kernel.shape
    if depthwise or ins < block:
        # OIHWBo: blocks of output channels, innermost
        ordered = kernel.reshape(outs // block, block, ins, height, width).transpose(0, 2, 3, 4, 1)
    else:
        ordered = kernel.reshape(outs // block, block, ins // block, block, height, width).transpose(0, 2, 4, 5, 3, 1)
    return np.ascontiguousarray(ordered).reshape(kernel.shape)


@dataclass
class _BlockedRewrite:
    graph: OnnxGraph
    block: int
    twins: dict[str, str] = field(default_factory=dict)  # map -> its blocked twin
    nodes: list[Any] = field(default_factory=list)

    def emit(self, kind: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(
            helper.make_node(kind, inputs, [output], name=f"{output}/{kind}", domain=domain, **attributes)
        )
        return output

    def blocked(self, name: str) -> str:
        if name not in self.twins:
            self.twins[name] = self.emit("ReorderInput", [name], f"{name}/blocked", DOMAIN)
        return self.twins[name]


def move_to_blocks(model: Any, layers: Collection[str], block: int) -> list[str]:
    """Rewrite ``model`` in place; ``layers`` are the aggregated convolutions to move. Returns those that were moved."""
    from onnx import helper

    graph = OnnxGraph(model)
    values = list(model.graph.value_info)
    rewrite = _BlockedRewrite(graph, block)
    moved: list[str] = []
    fused: set[str] = set()
    for node in list(model.graph.node):
        if node.output[0] in fused:
            continue
        layer = node.name.removesuffix("/Conv")
        if node.op_type == "Conv" and layer in layers and _move(rewrite, node, fused):
            moved.append(layer)
        elif node.op_type in _ELEMENTWISE and node.input[0] in rewrite.twins:
            twin = f"{node.output[0]}/blocked"
            rewrite.twins[node.output[0]] = twin
            attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
            rewrite.emit(node.op_type, [rewrite.twins[node.input[0]], *node.input[1:]], twin, **attributes)
        elif node.op_type == "Add" and all(name in rewrite.twins for name in node.input):
            twin = f"{node.output[0]}/blocked"
            rewrite.twins[node.output[0]] = twin
            rewrite.emit("Add", [rewrite.twins[name] for name in node.input], twin)
        elif node.op_type == "Gather" and node.input[0] in rewrite.twins and node.input[1] in graph.constants:
            _gather(rewrite, node)
        else:
            rewrite.nodes.append(node)
    if not moved:
        return []
    _guard(rewrite, model)
    _put_back(rewrite)
    graph.finish(rewrite.nodes)
    live = {name for node in model.graph.node for name in node.output}
    model.graph.value_info.extend(value for value in values if value.name in live)
    model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    return moved


def _move(rewrite: _BlockedRewrite, node: Any, fused: set[str]) -> bool:
    """Replace one convolution whose weight is ``Reshape(MatMul(alpha, bank))``; False where it is not of that form."""
    from onnx import helper, numpy_helper

    graph, constants = rewrite.graph, rewrite.graph.constants
    reshape = graph.producer.get(node.input[1])
    mixing = graph.producer.get(reshape.input[0]) if reshape is not None and reshape.op_type == "Reshape" else None
    if reshape is None or mixing is None or mixing.op_type != "MatMul" or mixing.input[1] not in constants:
        return False
    tensor = constants[mixing.input[1]]
    shape = [int(size) for size in graph.array(reshape.input[1])]
    bank = numpy_helper.to_array(tensor).reshape(-1, *shape)
    attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    attributes.pop("auto_pad", None)
    groups = attributes.get("group", 1)
    ordered = np.stack([block_filter(kernel, rewrite.block, groups > 1) for kernel in bank])
    tensor.CopyFrom(numpy_helper.from_array(ordered.reshape(len(bank), -1), tensor.name))
    # a first layer's few channels are read as they are
    source = node.input[0] if groups == 1 and shape[1] < rewrite.block else rewrite.blocked(node.input[0])
    output = node.output[0]
    after = graph.sole_reader(output)
    if after is not None and after.op_type == "Relu":
        attributes["activation"] = "Relu"
        output = after.output[0]
        fused.add(output)
    attributes.setdefault("kernel_shape", shape[2:])
    rewrite.twins[output] = rewrite.emit("Conv", [source, *node.input[1:]], f"{output}/blocked", DOMAIN, **attributes)
    return True


def _gather(rewrite: _BlockedRewrite, node: Any) -> None:
    """Channels out of a blocked map: channel c is every b-th element from ``(c // b) H W b + c % b`` on."""
    channels = rewrite.graph.array(node.input[1]).ravel()
    _, _, height, width = rewrite.graph.shape(node.input[0]) or ()
    positions, block, output = height * width, rewrite.block, node.output[0]
    flat = rewrite.emit(
        "Reshape",
        [rewrite.twins[node.input[0]], rewrite.graph.add_constant("flat", np.array([-1], np.int64))],
        f"{output}/flat",
    )
    starts = channels // block * positions * block + channels % block
    shape = (1, len(channels), height, width)
    if positions <= GATHER_UP_TO_POSITIONS:
        index = (starts[:, None] + np.arange(positions) * block).reshape(shape).astype(np.int64)
        rewrite.emit("Gather", [flat, rewrite.graph.add_constant(f"{output}/index", index)], output, axis=0)
        return
    axis, step = (
        rewrite.graph.add_constant(name, np.array([value], np.int64))
        for name, value in (("first", 0), ("block", block))
    )
    parts = []
    for order, start in enumerate(starts):
        ends = np.array([start + (positions - 1) * block + 1], np.int64)
        limits = [
            rewrite.graph.add_constant(f"{output}/start_{order}", np.array([start], np.int64)),
            rewrite.graph.add_constant(f"{output}/end_{order}", ends),
        ]
        parts.append(rewrite.emit("Slice", [flat, *limits, axis, step], f"{output}/part_{order}"))
    joined = rewrite.emit("Concat", parts, f"{output}/parts", axis=0)
    rewrite.emit("Reshape", [joined, rewrite.graph.add_constant(f"{output}/shape", np.array(shape, np.int64))], output)


def _guard(rewrite: _BlockedRewrite, model: Any) -> None:
    """Scores become NaN where the runtime's block is another one; a constant expression, computed when the file is loaded."""
    scores, block = model.graph.output[0].name, rewrite.block
    for node in rewrite.nodes:
        for index, name in enumerate(node.output):
            if name == scores:
                node.output[index] = "scores/unguarded"
    probe = np.arange(64, dtype=np.float32).reshape(1, 32, 1, 2)
    expected = probe.reshape(32 // block, block, 2).transpose(0, 2, 1).reshape(1, 32, 1, 2)
    lanes = rewrite.emit("ReorderInput", [rewrite.graph.add_constant("guard/probe", probe)], "guard/lanes", DOMAIN)
    wrong = rewrite.emit("Sub", [lanes, rewrite.graph.add_constant("guard/expected", expected)], "guard/difference")
    largest = rewrite.emit("ReduceMax", [rewrite.emit("Abs", [wrong], "guard/abs")], "guard/largest", keepdims=0)
    right = rewrite.emit(
        "Equal", [largest, rewrite.graph.add_constant("guard/zero", np.array(0, np.float32))], "guard/right"
    )
    nothing, nan = rewrite.graph.add_constant("guard/zero", np.array(0, np.float32)), np.array(np.nan, np.float32)
    poison = rewrite.emit("Where", [right, nothing, rewrite.graph.add_constant("guard/nan", nan)], "guard/poison")
    rewrite.emit("Add", ["scores/unguarded", poison], scores)


def _put_back(rewrite: _BlockedRewrite) -> None:
    """A ReorderOutput for every map that somebody reads plain, right before its first reader."""
    from onnx import helper

    inner_names = {name for node in rewrite.nodes for name in node.output}
    done: set[str] = set()
    nodes = []
    for node in rewrite.nodes:
        for name in node.input:
            if (
                name in rewrite.twins
                and name not in inner_names
                and name not in done
                and (shape := rewrite.graph.shape(name))
            ):
                done.add(name)
                nodes.append(
                    helper.make_node(
                        "ReorderOutput",
                        [rewrite.twins[name]],
                        [name],
                        name=f"{name}/ReorderOutput",
                        domain=DOMAIN,
                        channels=shape[1],
                    )
                )
        nodes.append(node)
    rewrite.nodes = nodes
