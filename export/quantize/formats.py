"""The formats that can be quantized, by suffix."""

from __future__ import annotations

from pathlib import Path

from eamdeploy.base.errors import UsageError
from export.quantize.onnx.quantizer import OnnxQuantizer
from export.quantize.quantizer import Quantizer
from export.quantize.tflite.quantizer import TfliteQuantizer


def open_quantizer(path: Path) -> Quantizer:
    """The quantizer for a float artifact.

    Raises:
        UsageError: when the file is neither .onnx nor .tflite, damaged, or has operators that the quantizer does not know.
    """
    if not path.is_file():
        raise UsageError("no such artifact", where=path)
    if path.suffix.lower() == ".onnx":
        return OnnxQuantizer(path)
    if path.suffix.lower() == ".tflite":
        return TfliteQuantizer(path)
    raise UsageError("only .onnx and .tflite files can be quantized", where=path)
