"""The smallest network of each kind, one operator on an input of shape (1, 3, 2, 2): a runtime that runs it works."""

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
_MNN = (
    "HAAAABgAGAAAAAAACAAMAAAABQAGABAAFAAHABgAAAAAAAAAAAEAACgAAAAIAAAAAAAAAAIAAAAQAAAABAAAAAEAAAB5AAAAAQAAAHgAAAAC"
    "AAAAcAAAABgAAAAAABIAHAAIAAYADAAQABQAGAAHABIAAAAAADMBMAAAACQAAAAUAAAACAAAAEUAAAABAAAAAQAAAAEAAAB5AAYACAAEAAYA"
    "AAAAAAAAAQAAAAAAAAAAABIAGAAAAAYACAAMABAAFAAHABIAAAAAABUBKAAAABQAAAAIAAAAIgAAAAEAAAAAAAAAAQAAAHgACgAQAAgADAAH"
    "AAoAAAAAAAAACAAAAAEAAAAEAAAAAQAAAAMAAAACAAAAAgAAAAAACgAIAAAAAAAEAAoAAAAEAAAABQAAADMuNi4xAAAA"
)
_NCNN = """7767517
2 2
Input            in0     0 1 in0 0=2 1=2 2=3
ReLU             relu    1 1 in0 out0
"""
_TFLITE_FILE = {"smallest.tflite": base64.b64decode(_TFLITE)}
# package -> its runtime, and the files; the first is loaded
_FILES = {
    "onnxruntime": ("onnxruntime", {"smallest.onnx": base64.b64decode(_ONNX)}),
    "ai-edge-litert": ("litert", _TFLITE_FILE),
    "tflite-runtime": ("litert", _TFLITE_FILE),
    "ncnn": ("ncnn", {"smallest.ncnn.param": _NCNN.encode(), "smallest.ncnn.bin": b""}),
    "MNN": ("mnn", {"smallest.mnn": base64.b64decode(_MNN)}),
}


def smallest_model(package: str) -> tuple[str, dict[str, bytes]]:
    """The runtime that a package brings, and the files of a network for it, the one to load first."""
    return _FILES[package]
