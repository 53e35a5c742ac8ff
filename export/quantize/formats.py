"""The formats that can be quantized, by suffix."""

from __future__ import annotations

from pathlib import Path

from eamdeploy.base.errors import UsageError
from export.quantize.mnn.quantizer import MnnQuantizer
from export.quantize.ncnn.quantizer import NcnnQuantizer
from export.quantize.onnx.quantizer import OnnxQuantizer
from export.quantize.quantizer import Quantizer
from export.quantize.tflite.quantizer import TfliteQuantizer
from runtimes.readers.formats import ARTIFACT_KINDS


def open_quantizer(path: Path) -> Quantizer:
    """The quantizer for a float artifact.

    Raises:
        UsageError: when the file is no artifact, damaged, or has operators that the quantizer does not know.
    """
    if not path.is_file():
        raise UsageError("no such artifact", where=path)
    if path.suffix.lower() == ".onnx":
        return OnnxQuantizer(path)
    if path.suffix.lower() == ".tflite":
        return TfliteQuantizer(path)
    if path.suffix.lower() == ".param":
        return NcnnQuantizer(path)
    if path.suffix.lower() == ".mnn":
        return MnnQuantizer(path)
    raise UsageError("such a file cannot be quantized", where=path, hint=f"give {ARTIFACT_KINDS}")
