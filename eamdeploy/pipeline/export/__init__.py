"""From a checkpoint to artifacts that are proven right: plan, lower, export, simplify, verify, describe.

    results = export_checkpoint(load_checkpoint("net.safetensors"), Path("build"), ExportOptions(formats=("onnx", "tflite")))

An artifact is written beside its name and verified there on real images; it gets its name only if it passes.
"""

from __future__ import annotations

from eamdeploy.pipeline.export.options import ExportedArtifact, ExportOptions, parity_summary
from eamdeploy.pipeline.export.run import card_of, export_checkpoint

__all__ = ["ExportOptions", "ExportedArtifact", "card_of", "export_checkpoint", "parity_summary"]
