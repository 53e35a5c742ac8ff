"""ncnn: a lowered network's ONNX graph, written layer by layer as ``.param`` and ``.bin``."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from eamdeploy.base.errors import InternalError, MissingDependency, UsageError
from eamdeploy.base.files import atomic_write_text
from export.exporter.request import ExportedFile, ExportRequest
from export.ncnn.conversion import Conversion
from export.onnx.exporter import OnnxExporter
from runtimes.readers.ncnn_file import NcnnParam, read_param, weights_path

# the most channels that ncnn keeps side by side in float32
CHANNEL_WINDOWS = {"aarch64": 4, "x86-64": 16}


class NcnnExporter:
    """Writes ``NAME.ncnn.param`` and ``NAME.ncnn.bin``, float input and output, one image."""

    format = "ncnn"
    runtime = "ncnn"
    input_layout = "NCHW"

    def check_available(self) -> None:
        """Raises :class:`MissingDependency` where onnx, onnxscript or ncnn is not installed."""
        OnnxExporter().check_available()
        if importlib.util.find_spec("ncnn") is None:
            raise MissingDependency.extra("ncnn", extra="ncnn")

    def __call__(self, network: nn.Module, path: Path, request: ExportRequest) -> ExportedFile:
        """Write ``network`` to ``path``, a ``.param`` file, and its ``.bin`` file.

        Raises:
            UsageError: for more than one image, or a network with an operator that ncnn has not.
        """
        self.check_available()
        if request.batch != 1:
            raise UsageError("ncnn computes one image at a time", where="batch", hint="leave the batch at 1 for ncnn")
        import onnx

        with tempfile.TemporaryDirectory(prefix="eamdeploy-") as folder:
            traced = Path(folder) / "traced.onnx"
            source = OnnxExporter()(network, traced, dataclasses.replace(request, simplify=False))
            model = onnx.load(str(traced))
        outputs = [output.name for output in model.graph.output]
        Conversion(model, channel_window=CHANNEL_WINDOWS.get(request.machine, 16)).run().write(path, outputs=outputs)
        _raise_unless_it_loads(path)
        versions = {name: release for name, release in source.versions.items() if name != "onnxsim"}
        return ExportedFile(path, _present(path, source.tensors), (), {**versions, "ncnn": version("ncnn")})

    def attach_metadata(self, path: Path, metadata: Mapping[str, Any]) -> None:
        """Write ``metadata`` behind the layers of the ``.param`` file, with the size and hash of the ``.bin`` file."""
        weights = weights_path(path)
        with weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        document = {**metadata, "weights": {"bytes": weights.stat().st_size, "sha256": digest}}
        param = read_param(path)
        atomic_write_text(path, NcnnParam(param.layers, document, param.output_blobs).text())


def _present(path: Path, tensors: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """The named tensors that are blobs of the file."""
    blobs = {blob for layer in read_param(path).layers for blob in layer.outputs}
    return {kind: {at: name for at, name in group.items() if name in blobs} for kind, group in tensors.items()}


def _raise_unless_it_loads(path: Path) -> None:
    """A file that was written is not yet a file that works: load it and run it once."""
    from runtimes.ncnn import Ncnn
    from runtimes.protocol import RuntimeOptions

    try:
        Ncnn().load(path, RuntimeOptions()).close()
    except UsageError as error:
        raise InternalError("the ncnn network does not run", where=path, why=error) from error
