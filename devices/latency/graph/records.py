"""Operator records: what one operator of an artifact costs, in counts and never in time.

Every latency feature is computed from a list of these. A record comes from an artifact file
(`devices.latency.graph.extract`) or, for published networks this project does not build, from an operator
list written by hand (`benchmarks/latency/zoo`); the model does not see which.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

KINDS = (
    "pointwise",  # 1x1 convolution
    "full",  # convolution over all channels with a larger kernel
    "grouped",  # convolution in groups that are neither one nor all channels
    "depthwise",
    "fc",  # matrix times vector, constant weights
    "matmul",  # matrix product of two computed operands, at more than one position
    "aggregation",  # alpha times the bank of a dynamic convolution
    "attention",  # the branch of a dynamic convolution that computes alpha
    "elementwise",
    "pool",
    "quantizer",  # from float to codes or back, between the parts of a mixed file
    "movement",  # concatenation, transposition, slices: bytes and no arithmetic
    "other",
)
PARTS = ("convolution", "depthwise", "aggregation", "attention", "classifier", "other", "overhead")


@dataclass(frozen=True, slots=True)
class OperatorRecord:
    """One operator after the runtime's ordinary fusions (batch norm, bias and ReLU live in their convolution).

    `weights`, `inputs`, `outputs` are element counts; `element_bytes` is what one element takes while computing
    (4 for fp32, 1 for int8; fp16 weights are widened to 4 by the CPU runtimes). `pixels` is the number of output
    positions, `kernel` the kernel's area, `channels_in` those of one group. `computed_kernel`: a convolution whose weights another
    operator made.
    """

    op: str
    kind: str
    layer: str = ""
    part: str = "other"
    macs: int = 0
    weights: int = 0
    inputs: int = 0
    outputs: int = 0
    element_bytes: int = 4
    kernel: int = 1
    stride: int = 1
    pixels: int = 1
    channels_in: int = 1
    channels_out: int = 1
    computed_kernel: bool = False

    @property
    def weight_bytes(self) -> int:
        """Bytes of constant operands read."""
        return self.weights * self.element_bytes

    @property
    def activation_bytes(self) -> int:
        """Bytes of computed operands read and written."""
        return (self.inputs + self.outputs) * self.element_bytes

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"weight_bytes": self.weight_bytes, "activation_bytes": self.activation_bytes}


@dataclass(frozen=True)
class ArtifactFeatures:
    """The operator list of one artifact, with what is known about it."""

    name: str
    format: str
    precision: str
    records: tuple[OperatorRecord, ...]
    input_px: int
    lowerings: tuple[str, ...] = ()
    family: str = ""

    @property
    def macs(self) -> int:
        """All multiply-accumulates of one inference."""
        return sum(r.macs for r in self.records)

    @property
    def weight_bytes(self) -> int:
        """All constant bytes read in one inference."""
        return sum(r.weight_bytes for r in self.records)

    @property
    def is_dynamic(self) -> bool:
        """Whether any layer computes its kernel from its input."""
        return any(r.kind in ("aggregation", "attention") for r in self.records)
