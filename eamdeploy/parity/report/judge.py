"""What a verification judges by, and the tolerances that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from eamdeploy.parity.compare.metrics import Array
from eamdeploy.parity.compare.rounding import Rounding
from eamdeploy.parity.report.limits import ParityTolerance
from runtimes.readers.metadata import ArtifactMetadata

# fp16 rounding is modelled with every map rounded, which is the most a runtime does: less room on top is needed
FP16_SHARE_OF_FACTOR = 0.25


@dataclass(frozen=True)
class ParityJudge:
    """The limits as they apply to one artifact.

    Attributes:
        exact: judged by rounding; else by SNR and agreement.
        factor: allowed multiple of the rounding.
        limits: as the user gave them.
        rounding: of the network in the artifact's precision, on some of the images.
        image_rounding: by position, that of single images on which the network is worse conditioned.
    """

    exact: bool
    factor: float
    limits: ParityTolerance
    rounding: Rounding
    image_rounding: Mapping[int, Rounding] = field(default_factory=dict)

    @property
    def output_relative(self) -> float:
        """Allowed relative error of an image's scores."""
        return self.factor * self.rounding.output_relative

    @property
    def output_abs(self) -> float:
        """Allowed error of one score."""
        return self.factor * self.rounding.output_abs

    def each(self, count: int, figure: Callable[[Rounding], float]) -> Array:
        """What is allowed of each of the first ``count`` images: that of all, or more where an image's own is more."""
        allowed = np.full(count, self.factor * figure(self.rounding))
        for position, rounding in self.image_rounding.items():
            if position < count:
                allowed[position] = max(allowed[position], self.factor * figure(rounding))
        return allowed

    @property
    def widest_relative(self) -> float:
        """The relative error above which nothing would be shown: an exact artifact is not held looser than an approximate one."""
        return float(10 ** (-self.limits.min_snr_db / 20))

    def unjudgeable(self, count: int) -> int:
        """Of the first ``count`` images, those on which rounding alone explains more than :attr:`widest_relative`."""
        if not self.exact:
            return 0
        return int((self.each(count, lambda rounding: rounding.output_relative) > self.widest_relative).sum())

    def alpha_abs(self, layer: str, count: int) -> Array:
        """Allowed error of one mixing weight, of each of the first ``count`` images."""
        return self.each(count, lambda rounding: rounding.alpha_abs[layer])

    def mean_abs(self, layer: str, count: int) -> Array:
        """Allowed error of a spatial mean that CGR-max chooses by, of each image."""
        return self.each(count, lambda rounding: rounding.mean_abs[layer])


def is_exact(metadata: ArtifactMetadata) -> bool:
    """Whether an artifact claims to be the same function: not quantized, and no layer of its plan approximated."""
    if metadata.precision not in (None, "fp32", "fp16"):
        return False
    return bool(metadata.raw.get("exact", True)) and all(entry.get("exact", True) for entry in metadata.plan)


def factor_for(precision: str, limits: ParityTolerance) -> float:
    """The allowed multiple of the rounding for an exact artifact of ``precision``."""
    return max(1.0, limits.factor * FP16_SHARE_OF_FACTOR) if precision == "fp16" else limits.factor
