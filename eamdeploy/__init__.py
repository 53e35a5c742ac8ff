"""eamdeploy: from a dynamic-convolution checkpoint to a verified, quantized, measured model on a board."""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["__version__"]
