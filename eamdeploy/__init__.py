"""eamdeploy: from a dynamic-convolution checkpoint to a verified, quantized, measured model on a board."""

from __future__ import annotations

import os

# onnxruntime 1.29 and later report what runs to their maker unless told not to before they are imported
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
__all__ = ["__version__"]
