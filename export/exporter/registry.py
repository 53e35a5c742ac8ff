"""The formats that can be exported to, by name."""

from __future__ import annotations

from eamdeploy.base.errors import UsageError, did_you_mean
from export.exporter.request import Exporter
from export.mnn.exporter import MnnExporter
from export.ncnn.exporter import NcnnExporter
from export.onnx.exporter import OnnxExporter
from export.tflite.exporter import TfliteExporter


def get_exporter(name: str) -> Exporter:
    """The exporter of format ``name``.

    Raises:
        UsageError: for an unknown name.
    """
    known_exporters: tuple[Exporter, ...] = (OnnxExporter(), TfliteExporter(), NcnnExporter(), MnnExporter())
    exporters = {exporter.format: exporter for exporter in known_exporters}
    if name not in exporters:
        raise UsageError(f"unknown format '{name}'", hint=did_you_mean(name, exporters))
    return exporters[name]
