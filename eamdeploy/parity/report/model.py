"""The result of a verification, as frozen dataclasses; errors are in units of the tensor unless said otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from eamdeploy.base.results import to_dict
from eamdeploy.networks.zoo.shipped import shown_name
from eamdeploy.runs.findings import Check

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class OutputParity:
    """One output of the artifact against the network's.

    Attributes:
        name: the tensor's name in the artifact.
        images: compared.
        snr_db: energy of the reference over energy of the difference; ``None`` when they are equal to the bit.
        max_abs_error, mean_abs_error: over all images and elements.
        relative_error: of the worst image, ``|artifact - reference| / |reference|`` (2-norm).
        rounding_relative: the same between float32 and float64 PyTorch, its worst image.
        tolerance_relative: what was allowed; ``None`` where the limit is an SNR.
        rounding_abs: largest difference between float32 and float64 PyTorch.
        tolerance_abs: what was allowed of one element; ``None`` where the limit is an SNR.
        not_finite: images with a NaN or an infinity.
        lost: columns (classes) of an approximate artifact that no longer follow the reference at all.
    """

    name: str
    images: int
    snr_db: float | None
    max_abs_error: float
    mean_abs_error: float
    relative_error: float
    rounding_relative: float
    tolerance_relative: float | None
    rounding_abs: float
    tolerance_abs: float | None
    not_finite: int
    passed: bool
    lost: tuple[int, ...] = ()


@dataclass(frozen=True)
class AttentionParity:
    """The mixing weights of one dynamic layer against the network's.

    Attributes:
        layer: module path.
        tensor: name of the weights in the artifact.
        images: compared.
        max_abs_error, mean_abs_error: over images and kernels.
        rounding_abs: largest difference between float32 and float64 PyTorch.
        tolerance_abs: what was allowed; ``None`` where the artifact is approximate and the weights are only reported.
        winner_changes: images on which another kernel weighs most, by more than rounding.
        excused: images left out because a channel choice of CGR-max is a tie to within rounding there, in this layer or
            an earlier one.
        variation: spread of the artifact's weights over the images, relative to the reference's: near 0 is a collapsed
            attention; ``None`` where the reference does not vary.
    """

    layer: str
    tensor: str
    images: int
    max_abs_error: float
    mean_abs_error: float
    rounding_abs: float
    tolerance_abs: float | None
    winner_changes: int
    excused: int
    variation: float | None
    passed: bool


@dataclass(frozen=True)
class Flip:
    """An image whose top-1 class changed.

    Attributes:
        image: its stable name in the data.
        reference, artifact: the two classes.
        margin: by how much the network preferred its own class, in units of the score.
        rounding: margins up to this one may be decided by rounding.
        counts: whether the margin is above rounding.
    """

    image: str
    reference: str
    artifact: str
    margin: float
    rounding: float
    counts: bool


@dataclass(frozen=True)
class BatchParity:
    """The same images in a batch of another size or order: each must come out as it does alone."""

    batch: int
    images: int
    max_abs_difference: float
    tolerance_abs: float
    passed: bool


@dataclass(frozen=True)
class Divergence:
    """The first layer, in order of execution, whose tensors in the artifact are not the network's.

    Attributes:
        layer: module path.
        part: ``attention`` (its mixing weights differ) or ``output`` (the weights agree, what it computes does not).
        tensor: the artifact's tensor that was compared, or ``None`` where none comes near.
        image: the image it was seen on.
        relative_error: ``|artifact - network| / |network|``; of the nearest tensor.
        tolerance_relative: what rounding explains.
        agreeing: layers before it that agree.
    """

    layer: str
    part: Literal["attention", "output"]
    tensor: str | None
    image: str
    relative_error: float
    tolerance_relative: float
    agreeing: int

    def __str__(self) -> str:
        what = "mixing weights are" if self.part == "attention" else "output is"
        off, allowed = f"{self.relative_error:.2g}", f"{self.tolerance_relative:.1g}"
        return f"{self.layer}, whose {what} off by {off} (rounding explains {allowed})"


@dataclass(frozen=True)
class ParityReport:
    """Everything a verification found.

    Attributes:
        artifact: path as given; ``artifact_sha256`` identifies it.
        checkpoint: path or name; ``checkpoint_sha256`` identifies it.
        exact: judged by rounding; else by SNR and agreement.
        data: name of the images, ``images`` how many, ``skipped`` the names of those that do not decode.
        notes: what a user should know of the images.
        rounding_images: images that also ran in float64; ``ill_conditioned`` of those judged by their own rounding, which is
            larger than that of the others.
        reference_top1, artifact_top1: percent, where the data's classes are the checkpoint's.
        warning: why the reference's accuracy proves nothing, where guessing would reach it too.
        checks: every question with its answer, for JUnit, SARIF and step summaries.
        duration_s: of the verification.
    """

    artifact: str
    artifact_sha256: str
    format: str
    precision: str
    checkpoint: str
    checkpoint_sha256: str
    runtime: str
    exact: bool
    data: str
    images: int
    rounding_images: int
    outputs: tuple[OutputParity, ...]
    attention: tuple[AttentionParity, ...]
    flips: tuple[Flip, ...]
    batches: tuple[BatchParity, ...]
    checks: tuple[Check, ...]
    first_divergence: Divergence | None = None
    reference_top1: float | None = None
    artifact_top1: float | None = None
    warning: str | None = None
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    ill_conditioned: int = 0
    duration_s: float = 0.0
    schema_version: int = SCHEMA_VERSION

    @property
    def passed(self) -> bool:
        """Whether every check that was asked for, or could be made, was answered yes."""
        return not any(check.failed or check.unjudged for check in self.checks)

    @property
    def verdict(self) -> Literal["passed", "failed"]:
        """The answer in one word."""
        return "passed" if self.passed else "failed"

    @property
    def flips_above_rounding(self) -> int:
        """Top-1 changes that rounding does not explain."""
        return sum(flip.counts for flip in self.flips)

    @property
    def sentence(self) -> str:
        """The verdict in one sentence, without the artifact's name."""
        if self.passed:
            return f"the same function as {shown_name(self.checkpoint)} on {self.images} images"
        first = next((check for check in self.checks if check.failed), None)
        if first is None:
            unjudged = next(check for check in self.checks if check.unjudged)
            return f"not shown to be the same function as {shown_name(self.checkpoint)}: {unjudged.message}"
        place = f"; the first layer to differ is {self.first_divergence}" if self.first_divergence else ""
        return f"not the same function as {shown_name(self.checkpoint)}: {first.message}{place}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, with the verdict."""
        values: dict[str, Any] = to_dict(self)
        values["checks"] = [check.to_dict() for check in self.checks]
        values["verdict"] = self.verdict
        values["flips_above_rounding"] = self.flips_above_rounding
        return values


@dataclass(frozen=True)
class ParityVerdict:
    """The verification of one artifact or several.

    Attributes:
        reports: one for each artifact, in the order they were given.
    """

    reports: tuple[ParityReport, ...]

    @property
    def passed(self) -> bool:
        """Whether every artifact is the same function."""
        return bool(self.reports) and all(report.passed for report in self.reports)

    @property
    def verdict(self) -> Literal["passed", "failed"]:
        """The verdict as a word."""
        return "passed" if self.passed else "failed"

    @property
    def failed(self) -> tuple[ParityReport, ...]:
        """The reports of the artifacts that are not the same function."""
        return tuple(report for report in self.reports if not report.passed)

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every question with its answer, over all artifacts."""
        return tuple(check for report in self.reports for check in report.checks)

    @property
    def first_divergence(self) -> Divergence | None:
        """Where the first artifact that failed begins to differ, if a layer was found."""
        return next((report.first_divergence for report in self.failed if report.first_divergence), None)

    def to_dict(self) -> dict[str, Any]:
        """The JSON document of the ``verify`` command."""
        return {
            "verdict": self.verdict,
            "checks": [check.to_dict() for check in self.checks],
            "first_divergence": None if self.first_divergence is None else to_dict(self.first_divergence),
            "artifacts": [report.to_dict() for report in self.reports],
        }
