"""TFLite: litert-torch's conversion of a lowered network, channels last in and out, named after its layers."""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
import zipfile
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
from export.tflite.names import rename

METADATA_MEMBER = "eamdeploy.json"
FLATBUFFER_LIMIT = 2**31 - 1


class TfliteExporter:
    """Writes ``.tflite`` files with float input and output, ``(B, H, W, C) -> (B, classes)``."""

    format = "tflite"
    runtime = "litert"
    input_layout = "NHWC"

    def check_available(self) -> None:
        """Raises :class:`MissingDependency` where litert-torch or ai-edge-litert is not installed."""
        for package, module in (("litert-torch", "litert_torch"), ("ai-edge-litert", "ai_edge_litert")):
            if importlib.util.find_spec(module) is None:
                raise MissingDependency.extra(package, extra="tflite")

    def __call__(self, network: nn.Module, path: Path, request: ExportRequest) -> ExportedFile:
        """Write ``network`` to ``path``.

        Raises:
            UsageError: for a dynamic batch, which the format does not have, or a network over 2 GB.
        """
        self.check_available()
        if request.batch == "dynamic":
            raise UsageError("a TFLite file has a fixed batch", hint="export to ONNX, or give a number")
        weights = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
        if weights > FLATBUFFER_LIMIT:
            raise UsageError(f"the weights have {weights / 2**30:.1f} GiB", why="a TFLite file ends at 2 GiB")
        wrapper = _convert(network, path, request)
        tensors = rename(path, wrapper, network, request)
        _raise_unless_it_loads(path)
        packages = ("torch", "litert-torch", "ai-edge-litert")
        return ExportedFile(path, tensors, (), {name: version(name) for name in packages})

    def attach_metadata(self, path: Path, metadata: Mapping[str, Any]) -> None:
        """Append ``metadata`` as ``eamdeploy.json`` in a zip behind the flatbuffer (TFLite's associated files)."""
        append_metadata(path, metadata)


def append_metadata(path: Path, metadata: Mapping[str, Any]) -> None:
    """Append ``metadata`` in a zip behind a flatbuffer, replacing what was appended before."""
    content = flatbuffer_bytes(path)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        entry = zipfile.ZipInfo(METADATA_MEMBER, date_time=(1980, 1, 1, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        opened.writestr(entry, json.dumps(metadata, ensure_ascii=False))
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(content)
        file.write(archive.getvalue())


def _raise_unless_it_loads(path: Path) -> None:
    """A file that was written is not yet a file that works: load it as the runtime will, with its delegate."""
    failure: Exception | None = None
    with captured_output() as noise:
        from ai_edge_litert.interpreter import Interpreter

        try:
            Interpreter(str(path), num_threads=1).allocate_tensors()
        except (RuntimeError, ValueError) as error:
            failure = error
    if failure is not None:
        raise InternalError("the TFLite file does not load", where=path, why=noise.tail() or failure) from failure


def flatbuffer_bytes(path: Path) -> bytes:
    """The file without an appended zip."""
    content = path.read_bytes()
    if not zipfile.is_zipfile(path):
        return content
    with zipfile.ZipFile(path) as opened:
        # offsets are those of the file as a whole: zipfile corrects for what stands before the archive
        return content[: min(entry.header_offset for entry in opened.infolist())]


def _convert(network: nn.Module, path: Path, request: ExportRequest) -> nn.Module:
    example = torch.zeros(int(request.batch), *request.input_shape).permute(0, 2, 3, 1).contiguous()
    failure: Exception | None = None
    wrapper: nn.Module | None = None
    written = path.with_suffix(".part.tflite")
    with captured_output() as noise, paused_collector():
        try:
            import litert_torch

            wrapper = litert_torch.to_channel_last_io(network.eval(), args=[0]).eval()
            litert_torch.convert(wrapper, (example,)).export(str(written))
            shutil.move(written, path)
        except (RuntimeError, ValueError, TypeError, AssertionError, NotImplementedError, OSError) as error:
            failure = error
        finally:
            written.unlink(missing_ok=True)
    if failure is not None or wrapper is None:
        raise InternalError(
            "litert-torch failed",
            why=root_cause(failure) if failure else noise.tail(),
            hint="`debug` shows the whole trace",
        ) from failure
    return wrapper
