"""What a verification judges by, and the tolerances that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

from eamdeploy.parity.limits import ParityLimits
from eamdeploy.parity.rounding import Rounding
from runtimes.metadata import ArtifactMetadata

# fp16 rounding is modelled with every map rounded, which is the most a runtime does: less room on top is needed
FP16_SHARE_OF_FACTOR = 0.25


@dataclass(frozen=True)
class Judge:
    """The limits as they apply to one artifact.

    Attributes:
        exact: judged by rounding; else by SNR and agreement.
        factor: allowed multiple of the rounding.
        limits: as the user gave them.
        rounding: of the network in the artifact's precision.
    """

    exact: bool
    factor: float
    limits: ParityLimits
    rounding: Rounding

    @property
    def output_relative(self) -> float:
        """Allowed relative error of an image's scores."""
        return self.factor * self.rounding.output_relative

    @property
    def output_abs(self) -> float:
        """Allowed error of one score."""
        return self.factor * self.rounding.output_abs

    def alpha_abs(self, layer: str) -> float:
        """Allowed error of one mixing weight."""
        return self.factor * self.rounding.alpha_abs[layer]


def is_exact(metadata: ArtifactMetadata) -> bool:
    """Whether an artifact claims to be the same function: not quantized, and no layer of its plan approximated."""
    if metadata.precision not in (None, "fp32", "fp16"):
        return False
    return bool(metadata.raw.get("exact", True)) and all(entry.get("exact", True) for entry in metadata.plan)


def factor_for(precision: str, limits: ParityLimits) -> float:
    """The allowed multiple of the rounding for an exact artifact of ``precision``."""
    return max(1.0, limits.factor * FP16_SHARE_OF_FACTOR) if precision == "fp16" else limits.factor
