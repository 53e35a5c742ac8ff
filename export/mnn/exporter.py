"""MNN: a lowered network's ONNX graph through MNN's converter."""

from __future__ import annotations

import dataclasses
import importlib.util
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from eamdeploy.base.errors import InternalError, MissingDependency, UsageError
from export.exporter.request import ExportedFile, ExportRequest
from export.mnn.converter import convert
from export.onnx.exporter import OnnxExporter
from export.tflite.exporter import append_metadata
from runtimes.readers.mnn_file import read_network


class MnnExporter:
    """Writes ``.mnn`` files with float input and output, ``(B, C, H, W) -> (B, classes)``."""

    format = "mnn"
    runtime = "mnn"
    input_layout = "NCHW"

    def check_available(self) -> None:
        """Raises :class:`MissingDependency` where onnx, onnxscript or MNN is not installed."""
        OnnxExporter().check_available()
        if importlib.util.find_spec("MNN") is None:
            raise MissingDependency.extra("MNN", extra="mnn")

    def __call__(self, network: nn.Module, path: Path, request: ExportRequest) -> ExportedFile:
        """Write ``network`` to ``path``.

        Raises:
            UsageError: for a dynamic batch.
            InternalError: the converter failed, or what it made does not run.
        """
        self.check_available()
        if request.batch == "dynamic":
            raise UsageError(
                "an MNN file has a fixed batch here", where="batch", hint="export to ONNX, or give a number"
            )
        with tempfile.TemporaryDirectory(prefix="eamdeploy-") as folder:
            traced = Path(folder) / "traced.onnx"
            source = OnnxExporter()(network, traced, dataclasses.replace(request, simplify=False))
            # a matrix product with a constant stays one: as a convolution, MNN's default, the bank grows by a zero bias
            convert(traced, path, ("--convertMatmulToConv", "0"))
        _raise_unless_it_runs(path)
        versions = {name: release for name, release in source.versions.items() if name != "onnxsim"}
        return ExportedFile(path, _present(path, source.tensors), (), {**versions, "MNN": version("MNN")})

    def attach_metadata(self, path: Path, metadata: Mapping[str, Any]) -> None:
        """Append ``metadata`` as ``eamdeploy.json`` in a zip behind the flatbuffer, as in a TFLite file."""
        append_metadata(path, metadata)


def _present(path: Path, tensors: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """The named tensors that the file still has."""
    names = {name for operator in read_network(path).operators for name in operator.outputs}
    return {kind: {at: name for at, name in group.items() if name in names} for kind, group in tensors.items()}


def _raise_unless_it_runs(path: Path) -> None:
    """A file that was written is not yet a file that works: load it and run it once."""
    from runtimes.batching import sample_feeds
    from runtimes.mnn import Mnn
    from runtimes.protocol import RuntimeOptions

    try:
        session = Mnn().load(path, RuntimeOptions())
        session.raw_run(sample_feeds(session.inputs))
        session.close()
    except UsageError as error:
        raise InternalError("the MNN file does not run", where=path, why=error) from error
