"""The graph of a module at one batch size, with values and sources, by ``torch.export``."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export.graph_signature import InputKind

import eamdeploy
from eamdeploy.base.errors import DataError
from eamdeploy.training.importing.network.tracing.known_operators import in_known_operators
from export.exporter.quiet import captured_output

_PACKAGE = f"{Path(eamdeploy.__file__).parent}/"
_FILE_LINE = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')


@dataclass(frozen=True)
class Traced:
    """A module's graph at a batch of ``batch`` images.

    Attributes:
        batch: images.
        nodes: of operators, in order.
        input: the placeholder of the images.
        output: the node that gives the scores.
        tensors: by placeholder name, the parameter, buffer or constant it stands for.
        names: by placeholder name, what the module calls that tensor (``layer.weight``), or ``constant N``.
        shapes: by node name, the shape of what it gives; of several outputs, the first's.
    """

    batch: int
    nodes: tuple[fx.Node, ...]
    input: fx.Node
    output: fx.Node
    tensors: Mapping[str, Tensor]
    names: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def trace(module: nn.Module, example: Tensor, *, functional: bool = False) -> Traced:
    """Export ``module`` on ``example: (B, ...)``.

    Args:
        functional: remove operators that change a tensor in place; slower.

    Raises:
        DataError: when the module cannot be exported, or does not give one tensor.
    """
    failure: Exception | None = None
    with captured_output(), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            program = torch.export.export(module, (example,), strict=False)
            if functional:
                program = program.run_decompositions({})
            program = in_known_operators(program)
        except Exception as error:
            failure = error
    if failure is not None:
        count = len(example)
        what = f"the network cannot be traced at a batch of {count}"
        raise explain_failure(failure, what, _trace_hint(failure)) from failure
    signature = program.graph_signature
    state: dict[str, Any] = {**program.state_dict, **program.constants}
    tensors, names = {}, {}
    images: str | None = None
    for spec in signature.input_specs:
        name = str(getattr(spec.arg, "name", ""))
        if spec.kind is InputKind.USER_INPUT:
            images = name
        elif spec.target is not None and isinstance(state.get(spec.target), Tensor):
            tensors[name] = state[spec.target].detach()
            names[name] = spec.target
    outputs = signature.user_outputs
    if len(outputs) != 1 or signature.buffers_to_mutate:
        raise _wrong_outputs(outputs, signature.buffers_to_mutate)
    by_name = {node.name: node for node in program.graph.nodes}
    return Traced(
        int(example.shape[0]),
        tuple(node for node in program.graph.nodes if node.op == "call_function"),
        input=by_name[images or ""],
        output=by_name[str(outputs[0])],
        tensors=tensors,
        names=names,
        shapes={name: shape for name, node in by_name.items() if (shape := _shape(node)) is not None},
    )


def _shape(node: fx.Node) -> tuple[int, ...] | None:
    value = node.meta.get("val")
    if isinstance(value, (tuple, list)) and value:
        value = value[0]
    return tuple(int(size) for size in value.shape) if isinstance(value, Tensor) else None


def _wrong_outputs(outputs: Any, mutated: Mapping[str, str]) -> DataError:
    if mutated:
        return DataError(
            f"the network changes its own buffer '{min(mutated.values())}' while it runs",
            why="what it answers would depend on the images before",
            hint="bring in a network in evaluation mode whose state does not change",
        )
    return DataError(
        f"the network returns {len(outputs)} tensors",
        why="a classifier gives one, a row of scores for each image",
        hint="let the factory wrap it in a module that returns the scores alone",
    )


def module_path(node: fx.Node) -> str:
    """The path of the innermost module that the node was traced in."""
    stack = node.meta.get("nn_module_stack") or {}
    entries = list(stack.values())
    return str(entries[-1][0]) if entries else ""


def source_line(node: fx.Node) -> str:
    """Where in the user's code the node comes from: ``file.py:12, in forward``; empty where it is not known."""
    trace_text = str(node.meta.get("stack_trace") or "")
    file_lines = _FILE_LINE.findall(trace_text)
    user_lines = [entry for entry in file_lines if "/torch/" not in entry[0]] or file_lines
    if not user_lines:
        return ""
    path, line, function = user_lines[-1]
    return f"{path.rpartition('/')[2]}:{line}, in {function}"


def is_user_code(path: str) -> bool:
    """Whether a file is the user's, and neither PyTorch's nor this package's."""
    return "/torch/" not in path and not path.startswith(("<", _PACKAGE))


def _trace_hint(error: Exception) -> str:
    if "numpy" in str(error):
        return "write with torch what it computes with NumPy"
    return "check that it runs on so many images, in plain PyTorch, in evaluation mode"


def explain_failure(
    error: Exception,
    what: str = "the network does not run on an image of this size",
    hint: str = "check `input_size`, and that the network runs in evaluation mode on one tensor",
) -> DataError:
    """``what`` failed, in one sentence, with the line of the user's code where there is one."""
    text = str(error)
    first = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
    user_lines = [entry for entry in _FILE_LINE.findall(text) if "/torch/" not in entry[0]]
    frame, walk = None, error.__traceback__
    while walk is not None:
        path = walk.tb_frame.f_code.co_filename
        if is_user_code(path):
            frame = (path, walk.tb_lineno, walk.tb_frame.f_code.co_name)
        walk = walk.tb_next
    place = user_lines[-1] if user_lines else frame
    where = f"{str(place[0]).rpartition('/')[2]}:{place[1]}, in {place[2]}" if place else None
    kind = type(error).__name__
    if "DataDependent" in kind or "data-dependent" in text:
        return DataError(
            "the network decides by the values of its tensors which code to run",
            where=where,
            why="such control flow cannot be written as one graph",
            hint="use torch.where, or let the factory build the network without that branch",
        )
    return DataError(what, where=where, why=f"{kind}: {first[:200]}", hint=hint)
