"""eamdeploy: from a dynamic-convolution checkpoint to a verified, quantized, measured model on a board.

    import eamdeploy

    network = eamdeploy.load("fashion-mnist-v1x0.25-eam-rcr")
    artifacts = eamdeploy.export(network, "build", formats=["onnx"])
    verdict = eamdeploy.verify(artifacts[0], against=network)
    runs = eamdeploy.bench(artifacts, device="host")

Importing the package loads neither numpy nor torch: each function is loaded when it is first asked for (PEP 562).
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

# onnxruntime 1.29 and later report what runs to their maker unless told not to before they are imported
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from eamdeploy.api.artifacts import evaluate, export, predict, quantize
    from eamdeploy.api.devices import bench, estimate
    from eamdeploy.api.environment import info
    from eamdeploy.api.networks import describe, import_network, load, train
    from eamdeploy.api.results import compare, gate, report
    from eamdeploy.api.verification import audit, verify

__version__ = "0.1.0"
_MODULES = {
    "artifacts": ("evaluate", "export", "predict", "quantize"),
    "devices": ("bench", "estimate"),
    "environment": ("info",),
    "networks": ("describe", "import_network", "load", "train"),
    "results": ("compare", "gate", "report"),
    "verification": ("audit", "verify"),
}
_HOME = {name: f"eamdeploy.api.{module}" for module, names in _MODULES.items() for name in names}

__all__ = [
    "__version__",
    "audit",
    "bench",
    "compare",
    "describe",
    "estimate",
    "evaluate",
    "export",
    "gate",
    "import_network",
    "info",
    "load",
    "predict",
    "quantize",
    "report",
    "train",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'eamdeploy' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
