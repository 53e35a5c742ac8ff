"""The smallest network of each kind, x + x of shape (1, 3, 2, 2): a runtime that runs it works."""

from __future__ import annotations

import base64

_ONNX = (
    "CAgSADpRCg4KAXgKAXgSAXkiA0FkZBIFY2hlY2taGwoBeBIWChQIARIQCgIIAQoCCAMKAggCCgIIAmIbCgF5EhYKFAgBEhAKAggBCgIIAwoC"
    "CAIKAggCQgQKABAN"
)
_TFLITE = (
    "GAAAAFRGTDMAAA4AFAAQAAwACAAAAAQADgAAABAAAAAYAAAA+AAAAAMAAAABAAAABAAAABD///8BAAAAEAAAAAwAFAAQAAwACAAEAAwAAAAQ"
    "AAAAUAAAAFQAAABYAAAAAQAAABQAAAAAAA4AFAAAABAADAALAAQADgAAABAAAAAAAAALDAAAABAAAABo////AQAAAAEAAAACAAAAAAAAAAAA"
    "AAABAAAAAQAAAAEAAAAAAAAAAgAAADwAAAAEAAAA2P///wgAAAAMAAAAAQAAAHkAAAAEAAAAAQAAAAMAAAACAAAAAgAAAAwADAAIAAAAAAAE"
    "AAwAAAAIAAAADAAAAAEAAAB4AAAABAAAAAEAAAADAAAAAgAAAAIAAAABAAAACAAAAAQABAAEAAAA"
)
# package -> runtime, file type and file
_FILES = {
    "onnxruntime": ("onnxruntime", ".onnx", _ONNX),
    "ai-edge-litert": ("litert", ".tflite", _TFLITE),
    "tflite-runtime": ("litert", ".tflite", _TFLITE),
}


def smallest_model(package: str) -> tuple[str, str, bytes]:
    """The runtime that a package brings, the ending of its files, and a file for it."""
    runtime, suffix, coded = _FILES[package]
    return runtime, suffix, base64.b64decode(coded)
