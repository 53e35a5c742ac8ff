"""Is an artifact the same function as its checkpoint? Asked on real images; rounding is measured, not assumed.

    report = check_parity("net.onnx", load_checkpoint("net.safetensors"), dataset)
    report.passed, report.verdict, report.first_divergence, report.checks

The tolerance is no constant: the PyTorch network runs in float32 and in float64 on some of the images, and what the
two differ by is this network's rounding. An artifact may differ by a small multiple of that. Where it differs by more,
its inner tensors are compared with the network's, layer by layer, until the first that does not agree is found.
"""

from __future__ import annotations

from eamdeploy.parity.artifacts import verify_against_artifact
from eamdeploy.parity.check import check_parity, verify
from eamdeploy.parity.report.limits import ParityTolerance
from eamdeploy.parity.report.model import (
    AttentionParity,
    BatchParity,
    Divergence,
    Flip,
    OutputParity,
    ParityReport,
    ParityVerdict,
)
from eamdeploy.parity.report.rules import RULES

__all__ = [
    "RULES",
    "AttentionParity",
    "BatchParity",
    "Divergence",
    "Flip",
    "OutputParity",
    "ParityReport",
    "ParityTolerance",
    "ParityVerdict",
    "check_parity",
    "verify",
    "verify_against_artifact",
]
