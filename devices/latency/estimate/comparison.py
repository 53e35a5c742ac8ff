"""How much slower one artifact is than another on a board that is not here: a ratio, narrower than either latency.

What is wrong with a board's calibration is wrong for both, as far as the two share their work. The interval is made of how far the
errors of pairs of left-out networks were apart, for each unit of work that a pair did not share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from devices.latency.estimate.choose import CalibrationChoice
from devices.latency.estimate.estimate import WIDEST, Candidate, asked_for, candidates
from devices.latency.estimate.predictors import TimePrediction
from devices.latency.estimate.userstore import own_calibrations
from devices.latency.graph.extract import extract_features
from devices.latency.graph.records import ArtifactFeatures
from devices.latency.model.calibration import Calibration, shipped
from devices.latency.model.instructions import table_for
from devices.latency.model.shared_work import shared_share
from devices.latency.model.terms import SMALL_PARTS, term_matrix

Key = tuple[str, str, float, str | None]
LEAST_APART = 0.1  # of the work: what two networks differ by at least


@dataclass(frozen=True)
class RatioEstimate:
    """An estimated ratio, or why there is none.

    Attributes:
        ratio: time of the first over time of the second; None where nothing known is close enough to both.
        interval90: a 90 % prediction interval.
        shared_percent: of the larger's work that both do; None where the two are of two runtimes or precisions.
        calibration: its name, or both names with ' | ' between where each latency has its own; `calibration_title` in words.
        notes: what the interval rests on, or why there is none.
    """

    device: str
    ratio: float | None
    interval90: tuple[float, float] | None
    shared_percent: float | None
    calibration: str | None
    calibration_title: str | None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "device": self.device,
            "provenance": "estimated" if self.ratio is not None else None,
            "ratio": self.ratio,
            "interval90": list(self.interval90) if self.interval90 else None,
            "shared_percent": self.shared_percent,
            "calibration": self.calibration,
            "calibration_title": self.calibration_title,
            "notes": list(self.notes),
        }


def compare_estimates(
    first: Path | str,
    second: Path | str,
    device: str,
    *,
    runtime: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    calibrations: Sequence[Calibration] | None = None,
) -> RatioEstimate:
    """Estimate how many times as long the first artifact takes as the second, on a device.

    Args:
        first, second: artifacts.
        device, runtime, precision, threads: as in `estimate`, for both.
        calibrations: to choose from; by default the user's own and the shipped ones.

    Raises:
        UsageError: for a file that is no artifact, or a runtime or precision that does not exist.
    """
    known_calibrations = tuple(calibrations) if calibrations is not None else (*own_calibrations(), *shipped())
    artifact_features = [extract_features(first), extract_features(second)]
    kinds = [asked_for(features, runtime, precision, threads) for features in artifact_features]
    ranked = [
        candidates(features, known_calibrations, device, runtime=kind[0], precision=kind[1], threads=threads)
        for features, kind in zip(artifact_features, kinds, strict=True)
    ]
    if not all(ranked):
        return _none(device, f"no measurement of {device} or of a board like it serves both artifacts")
    # one calibration and one way of counting for both, or nothing cancels; the best of each key stands last and stays
    answers = [{_key(choice, time): (width, choice, time) for width, choice, time in reversed(r)} for r in ranked]
    common = sorted(
        (round(max(answers[0][k][0], answers[1][k][0]), 2), len(answers[0][k][1].steps), k)
        for k in answers[0].keys() & answers[1].keys()
    )
    if kinds[0] != kinds[1] or not common:
        return _apart(device, ranked[0][0], ranked[1][0])
    ratios = []
    for *rank, key in common:
        if rank == list(common[0][:2]):
            (_, choice, first_prediction), (_, _, other) = answers[0][key], answers[1][key]
            ratios.append(_ratio(device, choice, artifact_features, first_prediction, other))
    return min(ratios, key=_width)


def _width(ratio: RatioEstimate) -> float:
    """Of an interval, end to end in the logarithm; of calibrations that know the latencies alike, one knows the ratio best."""
    return math.inf if ratio.interval90 is None else math.log(ratio.interval90[1] / ratio.interval90[0])


def _key(choice: CalibrationChoice, prediction: TimePrediction) -> Key:
    return choice.calibration.name, prediction.method, choice.shift, choice.counted_for


def _apart(device: str, first_candidate: Candidate, other: Candidate) -> RatioEstimate:
    """The ratio of two latencies that no one calibration serves: those of two runtimes, or of an int8 and a float file.

    Nothing is known to cancel, so that the errors are taken as independent of each other: what two calibrations of one board have
    in common, its clock above all, can only bring the two nearer together.
    """
    (width, choice, first), (other_width, other_choice, second) = first_candidate, other
    half = math.hypot(width, other_width)
    if half > WIDEST:
        return _none(device, f"too uncertain (the 90 % interval would span a factor of {math.exp(2 * half):.0f})")
    ratio = first.milliseconds / second.milliseconds * math.exp(choice.shift - other_choice.shift)
    notes = [s.words for c in (choice, other_choice) for s in c.steps]
    notes.append("two runtimes or precisions: the errors of the two latencies are taken as independent")
    return RatioEstimate(
        device,
        round(ratio, 4),
        interval90=(round(ratio * math.exp(-half), 4), round(ratio * math.exp(half), 4)),
        shared_percent=None,
        calibration=" | ".join(dict.fromkeys(c.calibration.name for c in (choice, other_choice))),
        calibration_title="; ".join(dict.fromkeys(c.calibration.title for c in (choice, other_choice))),
        notes=tuple(dict.fromkeys(notes)),
    )


def _none(device: str, reason: str, calibration: Calibration | None = None) -> RatioEstimate:
    return RatioEstimate(
        device,
        None,
        interval90=None,
        shared_percent=None,
        calibration=None if calibration is None else calibration.name,
        calibration_title=None if calibration is None else calibration.title,
        notes=(reason,),
    )


def _ratio(
    device: str,
    choice: CalibrationChoice,
    artifact_features: Sequence[ArtifactFeatures],
    first_prediction: TimePrediction,
    other: TimePrediction,
) -> RatioEstimate:
    calibration = choice.calibration
    error = calibration.pair_error
    if first_prediction.method == "instructions" and calibration.rate is not None:
        error = calibration.rate.pair_error
    totals = [term_matrix(f.records).sum(0) for f in artifact_features]
    shared = float(shared_share(totals[0], totals[1]))
    if error is None:
        return _none(device, f"too few networks are measured for a ratio: {calibration.title}", calibration)
    half = error * max(1 - shared, LEAST_APART)
    notes = [s.words for s in choice.steps]
    mixing = max(_mixing_share(f, p) for f, p in zip(artifact_features, (first_prediction, other), strict=True))
    table = calibration.rate.table if calibration.rate is not None else None
    if choice.counted_for is not None and calibration.rate is not None:
        table = table_for(choice.counted_for, calibration.rate.precision, calibration.rate.instruction_set)
    if mixing and first_prediction.method == "instructions" and table is not None:
        half = math.hypot(half, mixing * table.dynamic_error)
        notes.append(f"mixing of kernels and attention are {100 * mixing:.0f} % of the time, from counted instructions")
    # at worst nothing cancels: where both latencies lie in their intervals, their ratio lies in this
    half = min(half, first_prediction.half_width + other.half_width)
    ratio = first_prediction.milliseconds / other.milliseconds
    ends = (round(ratio * math.exp(-half), 4), round(ratio * math.exp(half), 4))
    return RatioEstimate(
        device,
        round(ratio, 4),
        interval90=ends,
        shared_percent=round(100 * shared, 1),
        calibration=calibration.name,
        calibration_title=calibration.title,
        notes=tuple(notes),
    )


def _mixing_share(features: ArtifactFeatures, prediction: TimePrediction) -> float:
    small = np.array([r.part in SMALL_PARTS for r in features.records])
    return float(prediction.times[small].sum() / prediction.milliseconds)
