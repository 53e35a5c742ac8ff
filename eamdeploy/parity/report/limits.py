"""What is allowed: multiples of the measured rounding for exact artifacts, SNR and agreement for approximate ones."""

from __future__ import annotations

from dataclasses import dataclass

from eamdeploy.base.errors import UsageError


@dataclass(frozen=True)
class ParityTolerance:
    """The limits of one verification.

    Attributes:
        factor: an exact artifact (fp32, fp16) may differ from PyTorch by this many times the network's own rounding. A
            correct artifact adds up the same products in another order, so its error is of the size of PyTorch's own;
            ``docs/explanation/verify.md`` has the ratios seen. A wrong kernel, channel or temperature is hundreds of times larger.
        min_snr_db: an approximate artifact (int8, or a plan that says it is not exact) keeps at least this
            signal-to-noise ratio at every output.
        min_agreement: share of images on which an approximate artifact chooses the same class, 0 to 1.
    """

    factor: float = 16.0
    min_snr_db: float = 10.0
    min_agreement: float = 0.9

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            UsageError: for a limit that cannot be one.
        """
        if self.factor < 1:
            raise UsageError(f"the rounding factor must be at least 1, got {self.factor:g}")
        if not 0 <= self.min_agreement <= 1:
            raise UsageError(f"the agreement must be between 0 and 1, got {self.min_agreement:g}")
