"""A latency without the board: `estimate("model.tflite", "pi4")`, from the nearest calibration, with an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devices.latency.estimate.breakdown import LayerTime, breakdown
from devices.latency.estimate.choose import WIDEST, Choice, choose
from devices.latency.estimate.userstore import own_calibrations
from devices.latency.graph.extract import extract_features
from devices.latency.graph.records import ArtifactFeatures
from devices.latency.model.calibration import Calibration, shipped, within
from devices.latency.model.hardware import board_of, boards
from devices.latency.model.measurements import family
from devices.latency.model.terms import coordinates, term_matrix
from eamdeploy.base.errors import UsageError, did_you_mean
from eamdeploy.base.results import Provenance

FORMAT_RUNTIMES = {"onnx": "onnxruntime", "tflite": "litert", "ncnn": "ncnn", "mnn": "mnn"}
KNOWN_RUNTIMES = ("litert", "onnxruntime", "ncnn", "mnn", "armnn", "tengine")
DYNAMIC_HALF_WIDTH = 0.43  # 90 % of measured dynamic networks: see docs/latency-model.md, "Dynamic layers"


@dataclass(frozen=True)
class Estimate:
    """An estimate, or why there is none.

    Attributes:
        p50_ms: expected median; None where no calibration is close enough, and then `notes` says why.
        interval90_ms: a 90 % prediction interval, conformal over what the calibration left out.
        calibration: its name; `calibration_title` in words.
        threads: asked for; None is the calibration's own.
        notes: whatever makes the interval wider than the calibration's own, in words.
        parts_ms: where the time goes.
        layers: the same per layer, in order of execution.
    """

    device: str
    runtime: str
    precision: str
    threads: int | None
    p50_ms: float | None
    interval90_ms: tuple[float, float] | None
    calibration: str | None
    calibration_title: str | None
    notes: tuple[str, ...] = ()
    parts_ms: dict[str, float] = field(default_factory=dict)
    layers: tuple[LayerTime, ...] = ()

    @property
    def provenance(self) -> Provenance:
        """How a report must label the figure."""
        return Provenance(
            kind="estimated",
            board=self.device,
            runtime=self.runtime,
            calibration=self.calibration,
            note="; ".join(self.notes) or None,
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "device": self.device,
            "runtime": self.runtime,
            "precision": self.precision,
            "threads": self.threads,
            "provenance": "estimated" if self.p50_ms is not None else None,
            "p50_ms": self.p50_ms,
            "interval90_ms": list(self.interval90_ms) if self.interval90_ms else None,
            "calibration": self.calibration,
            "calibration_title": self.calibration_title,
            "notes": list(self.notes),
            "parts_ms": self.parts_ms,
            "layers": [layer.to_dict() for layer in self.layers],
        }


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
        path: an .onnx or .tflite file.
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
    runtime, precision = runtime or FORMAT_RUNTIMES[features.format], precision or features.precision
    if runtime not in KNOWN_RUNTIMES:
        raise UsageError(f"no latency model knows the runtime '{runtime}'", hint=did_you_mean(runtime, KNOWN_RUNTIMES))
    if precision not in ("fp32", "fp16", "int8"):
        raise UsageError(f"unknown precision '{precision}'", hint=did_you_mean(precision, ("fp32", "fp16", "int8")))
    if threads is not None and threads < 1:
        raise UsageError("threads must be at least 1", where=f"--threads {threads}")
    known = tuple(calibrations) if calibrations is not None else (*own_calibrations(), *shipped())
    choice, reason = choose(known, device, runtime, precision, threads)
    if choice is None:
        return Estimate(device, runtime, precision, threads, None, None, None, None, (reason,))
    return _from_choice(features, choice, known, device, runtime, precision, threads)


def _from_choice(
    features: ArtifactFeatures,
    choice: Choice,
    known: Sequence[Calibration],
    device: str,
    runtime: str,
    precision: str,
    threads: int | None,
) -> Estimate:
    calibration, notes = choice.calibration, [s.words for s in choice.steps]
    if calibration.doubt:
        notes.append(calibration.doubt)
    per_operator = term_matrix(features.records)
    totals = per_operator.sum(0, keepdims=True)
    prediction = calibration.model.predict(totals)
    log_ms, spread = float(prediction.log_ms[0]), float(prediction.spread[0])
    foreign = features.is_dynamic and not calibration.tests.get("dynamic_networks")
    fitted = not foreign and family(features.family) in calibration.families
    half = calibration.far_width(spread) if foreign else calibration.half_width(spread, fitted=fitted)
    squares = [half, choice.half_width]
    if foreign:
        squares.append(DYNAMIC_HALF_WIDTH)
        notes.append(
            "no network measured on this board has dynamic layers: their operators are counted one by one, interval widened"
        )
    elif not fitted:
        what = f"the family {family(features.family)}" if features.family else "this network's family"
        notes.append(f"{what} is not among the measured ones ({', '.join(calibration.families)}): interval widened")
    if not foreign and not within(calibration, coordinates(totals)[0]):
        # dynamic layers are outside already, and their hundreds of small operators are what the spread has grown by
        squares.append(half)
        notes.append("smaller or larger than every measured network: interval widened")
    board = boards().get(calibration.conditions.board) or board_of(device)
    width = math.sqrt(sum(s**2 for s in squares))
    if width > WIDEST:
        reason = (
            f"the ends of an interval from {calibration.title} would be a factor of {math.exp(2 * width):.0f} apart"
        )
        return Estimate(device, runtime, precision, threads, None, None, None, None, (reason, *notes))
    layers, parts, scaled = breakdown(features, calibration, known, log_ms, board, precision)
    log_ms = math.log(scaled) + choice.shift
    factor = math.exp(choice.shift)
    return Estimate(
        device,
        runtime,
        precision,
        threads,
        round(math.exp(log_ms), 4),
        (round(math.exp(log_ms - width), 4), round(math.exp(log_ms + width), 4)),
        calibration.name,
        calibration.title,
        tuple(notes),
        {k: round(v * factor, 4) for k, v in parts.items()},
        tuple(layer.scaled(factor) for layer in layers),
    )


def estimate_all(
    path: Path | str,
    runtime: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    *,
    devices: Sequence[str] | None = None,
) -> list[Estimate]:
    """Estimate on every profile but this machine; a device without a close calibration has no number and says why."""
    from devices.boards.profiles import profile_names

    features = extract_features(path)
    own = tuple(dict.fromkeys(c.conditions.board for c in own_calibrations()))
    names = devices if devices is not None else [*own, *(n for n in profile_names() if n not in own and n != "host")]
    known = (*own_calibrations(), *shipped())
    return [estimate_features(features, name, runtime, precision, threads, calibrations=known) for name in names]


def known_device(name: str) -> str:
    """``name``, where it is a profile or a board that the user calibrated.

    Raises:
        UsageError: when it is neither; the message lists the profiles.
    """
    from devices.boards.profiles import load_profile

    if not any(name == calibration.conditions.board for calibration in own_calibrations()):
        load_profile(name)
    return name
