"""A latency without the board: `estimate("model.tflite", "pi4")`, from the best that is known of it, with an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from devices.latency.estimate.breakdown import breakdown
from devices.latency.estimate.choose import RUNTIMES, CalibrationChoice, choices
from devices.latency.estimate.predictors import TimePrediction, by_instructions, by_operators
from devices.latency.estimate.result import Estimate
from devices.latency.estimate.userstore import own_calibrations
from devices.latency.graph.extract import extract_features
from devices.latency.graph.records import ArtifactFeatures
from devices.latency.model.calibration import SLACK, Calibration, shipped
from devices.latency.model.hardware import board_of, boards
from devices.latency.model.terms import coordinates, term_matrix
from eamdeploy.base.errors import UsageError, did_you_mean

FORMAT_RUNTIMES = {"onnx": "onnxruntime", "tflite": "litert", "ncnn": "ncnn", "mnn": "mnn"}
KNOWN_RUNTIMES = tuple(RUNTIMES)
PRECISIONS = ("fp32", "fp16", "int8")
WIDEST = math.log(10) / 2  # an interval whose ends are a factor of ten apart is no estimate
Candidate = tuple[float, CalibrationChoice, TimePrediction]


def estimate(
    path: Path | str,
    device: str,
    runtime: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    *,
    calibrations: Sequence[Calibration] | None = None,
) -> Estimate:
    """Estimate the latency of one inference, batch 1, on a device.

    Args:
        path: an artifact.
        device: a profile's name ("pi4"), or a board the user calibrated.
        runtime: "litert", "onnxruntime", ...; the artifact's own by default.
        precision: "fp32", "fp16" or "int8"; the artifact's own by default.
        threads: None for what the calibration was made with.
        calibrations: to choose from; by default the user's own and the shipped ones.

    Raises:
        UsageError: for a file that is no artifact, or a runtime or precision that does not exist.
    """
    return estimate_features(extract_features(path), device, runtime, precision, threads, calibrations=calibrations)


def estimate_features(
    features: ArtifactFeatures,
    device: str,
    runtime: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    *,
    calibrations: Sequence[Calibration] | None = None,
) -> Estimate:
    """As `estimate`, for an artifact that was read already."""
    runtime, precision = asked_for(features, runtime, precision, threads)
    known_calibrations = tuple(calibrations) if calibrations is not None else (*own_calibrations(), *shipped())
    ranked = candidates(features, known_calibrations, device, runtime=runtime, precision=precision, threads=threads)
    if ranked and ranked[0][0] <= WIDEST:
        width, choice, prediction = ranked[0]
        return _estimate(
            features, width, choice, prediction=prediction, device=device, runtime=runtime, precision=precision
        )
    if ranked:
        reason = f"too uncertain (the 90 % interval would span a factor of {math.exp(2 * ranked[0][0]):.0f})"
    else:
        reason = f"no {precision} measurement of {device} or of a board like it is known for {runtime}"
    return Estimate(
        device,
        runtime,
        precision=precision,
        threads=threads,
        p50_ms=None,
        interval90_ms=None,
        calibration=None,
        calibration_title=None,
        notes=(reason,),
    )


def asked_for(
    features: ArtifactFeatures, runtime: str | None, precision: str | None, threads: int | None
) -> tuple[str, str]:
    """The runtime and precision to estimate for, the artifact's own by default; an unknown one is an error."""
    runtime, precision = runtime or FORMAT_RUNTIMES[features.format], precision or features.precision
    if runtime not in KNOWN_RUNTIMES:
        raise UsageError(f"no latency model knows the runtime '{runtime}'", hint=did_you_mean(runtime, KNOWN_RUNTIMES))
    if precision not in PRECISIONS:
        raise UsageError(f"unknown precision '{precision}'", hint=did_you_mean(precision, PRECISIONS))
    if threads is not None and threads < 1:
        raise UsageError("threads must be at least 1", where=f"threads={threads}")
    return runtime, precision


def candidates(
    features: ArtifactFeatures,
    calibrations: Sequence[Calibration],
    device: str,
    *,
    runtime: str,
    precision: str,
    threads: int | None,
) -> list[Candidate]:
    """Everything that could answer, the best first: half width in the logarithm, calibration, prediction.

    What was measured on the board itself, on networks like this one, comes before all else; then the narrowest interval does.
    """
    work = float(coordinates(term_matrix(features.records).sum(0))[0])
    ranked: list[Candidate] = []
    for choice in choices(
        calibrations,
        device,
        runtime=runtime,
        precision=precision,
        threads=threads,
        smaller=lambda c: max(c.lowest[0] - SLACK - work, 0.0),
    ):
        calibration = choice.calibration
        board = boards().get(calibration.conditions.board) or board_of(device)
        rated = by_instructions(features, calibration, calibrations, board, choice.counted_for, threads=choice.threads)
        costed = None if choice.counted_for else by_operators(features, calibration, calibrations)
        predictions = costed, rated
        ranked += [(math.hypot(p.half_width, choice.half_width), choice, p) for p in predictions if p is not None]
    # as certain to within a hundredth: the one from which least is carried over, with more networks behind it
    return sorted(ranked, key=_order)


def _order(candidate: Candidate) -> tuple[bool, float, int, int, str, str]:
    width, choice, prediction = candidate
    measured_like = prediction.like_measured and not choice.steps
    calibration = choice.calibration
    return (
        not measured_like,
        round(width, 2),
        len(choice.steps),
        -calibration.networks,
        calibration.name,
        prediction.method,
    )


def _estimate(
    features: ArtifactFeatures,
    width: float,
    choice: CalibrationChoice,
    *,
    prediction: TimePrediction,
    device: str,
    runtime: str,
    precision: str,
) -> Estimate:
    calibration, factor = choice.calibration, math.exp(choice.shift)
    notes = [s.words for s in choice.steps] + ([calibration.doubt] if calibration.doubt else [])
    layers, parts = breakdown(features, prediction.times, prediction.overheads)
    log_ms = math.log(prediction.milliseconds) + choice.shift
    return Estimate(
        device,
        runtime,
        precision=precision,
        threads=choice.threads,
        p50_ms=round(math.exp(log_ms), 4),
        interval90_ms=(round(math.exp(log_ms - width), 4), round(math.exp(log_ms + width), 4)),
        calibration=calibration.name,
        calibration_title=calibration.title,
        notes=(*notes, *prediction.notes),
        parts_ms={k: round(v * factor, 4) for k, v in parts.items()},
        layers=tuple(layer.scaled(factor) for layer in layers),
        method=prediction.method,
    )


def estimate_all(
    path: Path | str,
    runtime: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    *,
    devices: Sequence[str] | None = None,
) -> list[Estimate]:
    """Estimate on every profile but this machine; a device of which too little is known has no number and says why."""
    features = extract_features(path)
    names = devices if devices is not None else device_names()
    calibrations = (*own_calibrations(), *shipped())
    return [estimate_features(features, name, runtime, precision, threads, calibrations=calibrations) for name in names]


def device_names() -> list[str]:
    """The boards that the user calibrated, and every profile but this machine."""
    from devices.boards.profiles import profile_names

    calibrated_boards = list(dict.fromkeys(c.conditions.board for c in own_calibrations()))
    return [*calibrated_boards, *(n for n in profile_names() if n not in calibrated_boards and n != "host")]


def known_device(name: str) -> str:
    """``name``, where it is a profile or a board that the user calibrated.

    Raises:
        UsageError: when it is neither; the message lists the profiles.
    """
    from devices.boards.profiles import load_profile

    if not any(name == calibration.conditions.board for calibration in own_calibrations()):
        load_profile(name)
    return name
