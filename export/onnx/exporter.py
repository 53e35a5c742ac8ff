"""ONNX: ``torch.onnx.export`` of a lowered network, named after its layers, simplified where that is safe, checked."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from eamdeploy.base.errors import InternalError, MissingDependency, UsageError
from eamdeploy.base.files import atomic_path
from export.exporter.quiet import captured_output, paused_collector, root_cause
from export.exporter.request import ExportedFile, ExportRequest
from export.lowerings.blocked import BlockedConv
from export.onnx.blocked import block_size, move_to_blocks
from export.onnx.names import rename
from export.onnx.simplify import simplify

METADATA_KEY = "eamdeploy"
PROTOBUF_LIMIT = 2**31 - 1


class OnnxExporter:
    """Writes ``.onnx`` files: one file, no external data, ``onnx.checker`` clean."""

    format = "onnx"
    runtime = "onnxruntime"
    input_layout = "NCHW"

    def check_available(self) -> None:
        """Raises :class:`MissingDependency` where onnx or onnxscript is not installed."""
        for package in ("onnx", "onnxscript"):
            if importlib.util.find_spec(package) is None:
                raise MissingDependency.extra(package, extra="export")

    def __call__(self, network: nn.Module, path: Path, request: ExportRequest) -> ExportedFile:
        """Write ``network`` to ``path``.

        Raises:
            UsageError: for an opset that cannot be delivered, or a network over protobuf's 2 GB.
        """
        self.check_available()
        import onnx

        model = _trace(network, request)
        delivered = next(entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"})
        if delivered != request.opset:
            raise UsageError(
                f"opset {request.opset} cannot be delivered",
                why=f"the exporter gave {delivered}",
                hint="18 to 24 can be, 20 is the default",
            )
        tensors = rename(model, request.layers, request.attentions)
        _raise_if_too_large(model.ByteSize())
        onnx.save(model, str(path))
        notes: tuple[str, ...] = ()
        if request.simplify:
            simplifier_note = simplify(
                path, request, required=[name for group in tensors.values() for name in group.values()]
            )
            notes = (simplifier_note,)
        moved = [name for name, module in network.named_modules() if isinstance(module, BlockedConv)]
        if moved:
            notes = (*notes, _move_to_blocks(path, moved))
            tensors = _present(path, tensors)
        onnx.checker.check_model(str(path), full_check=not moved)
        packages = (
            ("torch", "onnx", "onnxscript", "onnxsim")
            if importlib.util.find_spec("onnxsim")
            else ("torch", "onnx", "onnxscript")
        )
        return ExportedFile(path, tensors, notes, {name: version(name) for name in packages})

    def attach_metadata(self, path: Path, metadata: Mapping[str, Any]) -> None:
        """Put ``metadata`` into ``metadata_props``."""
        import onnx

        model = onnx.load(str(path))
        other_entries = [entry for entry in model.metadata_props if entry.key != METADATA_KEY]
        del model.metadata_props[:]
        model.metadata_props.extend(other_entries)
        entry = model.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, json.dumps(metadata, ensure_ascii=False)
        with atomic_path(path) as temporary:
            onnx.save(model, str(temporary))


def _move_to_blocks(path: Path, layers: list[str]) -> str:
    import onnx

    block = block_size()
    if block is None:
        raise UsageError("ONNX Runtime has no blocked layout on this CPU", hint="use `lowering` auto")
    model = onnx.load(str(path))
    moved = move_to_blocks(model, layers, block)
    onnx.save(model, str(path))
    return (
        f"{len(moved)} layers are in blocks of {block} channels: the file is for ONNX Runtime on this kind of CPU alone"
    )


def _present(path: Path, tensors: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """The named tensors that the file still has."""
    import onnx

    present = {name for node in onnx.load(str(path), load_external_data=False).graph.node for name in node.output}
    return {kind: {at: name for at, name in group.items() if name in present} for kind, group in tensors.items()}


def _trace(network: nn.Module, request: ExportRequest) -> Any:
    dynamic = request.batch == "dynamic"
    # an example of 2 images: export specialises on sizes 0 and 1
    example = torch.zeros(2 if dynamic else int(request.batch), *request.input_shape)
    shapes = ({0: torch.export.Dim("batch", min=1, max=65_535)},) if dynamic else None
    with captured_output() as noise, paused_collector():
        try:
            program = torch.onnx.export(
                network.eval(),
                (example,),
                dynamo=True,
                dynamic_shapes=shapes,
                external_data=False,
                opset_version=request.opset,
                input_names=["input"],
                output_names=["scores"],
                verbose=False,
            )
            model = None if program is None else program.model_proto
        except (RuntimeError, ValueError, TypeError) as error:
            failure: Exception | None = error
        else:
            failure = None
    if failure is not None or model is None:
        raise InternalError(
            "torch.onnx.export failed",
            why=root_cause(failure) if failure else noise.tail(),
            hint="`debug` shows the whole trace",
        ) from failure
    if dynamic and not model.graph.input[0].type.tensor_type.shape.dim[0].dim_param:
        raise InternalError("the exporter fixed the batch of a graph that was to have a dynamic one")
    return model


def _raise_if_too_large(size: int) -> None:
    if size > PROTOBUF_LIMIT:
        raise UsageError(
            f"the graph has {size / 2**30:.1f} GiB",
            why="an ONNX file ends at 2 GiB",
            hint="reduce the width or the kernels",
        )
